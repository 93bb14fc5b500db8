"""Bugs of the answers that clients get."""
