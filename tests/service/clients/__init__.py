"""Clients that are made from the documents alone, against the running service."""
