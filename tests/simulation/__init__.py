"""The whole pipeline without I/O, under every fault at once, a seed at a time."""
