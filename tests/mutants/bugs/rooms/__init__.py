"""Bugs in every room, found after the rooms were arranged."""
