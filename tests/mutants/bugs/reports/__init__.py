"""Bugs of how a provider's reports are read."""
