"""Message formats of the topics and of HTTP, and the settings of every process.

``http``, ``commands``, ``results`` and ``state`` are models. ``topics`` and ``settings`` are
tables. ``identity`` derives every identifier. ``headers`` names the record headers.
"""
