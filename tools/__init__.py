"""Generators of the JSON Schema files and of pages in docs/."""
