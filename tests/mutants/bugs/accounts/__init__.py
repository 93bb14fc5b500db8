"""Planted bugs of several accounts: their file, and what is done for each."""
