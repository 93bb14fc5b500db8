"""Bugs of the programs of others."""
