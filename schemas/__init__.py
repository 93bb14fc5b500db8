"""What travels on topics and over HTTP, and the settings of every process.

``topics`` and ``settings`` are tables; ``http``, ``commands``, ``results`` and ``state`` are the
models; ``identity`` derives every identifier; ``headers`` names the record headers.
"""
