"""Runs each program of ``examples/`` as its page says, against a real broker and the service."""
