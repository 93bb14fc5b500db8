"""Histories of amounts."""
