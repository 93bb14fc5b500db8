"""Tests of message formats, identifiers and settings."""
