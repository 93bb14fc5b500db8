"""Isolates a test session from the machine's environment and from other sessions."""
