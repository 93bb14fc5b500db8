"""Generators: the JSON Schema files, the page of settings, the drawing of the state machine."""
