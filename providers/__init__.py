"""Providers, one folder each, behind the port in ``port``: nothing of their words passes it."""
