"""The rebuild."""
