"""Planted bugs, by what they are about."""
