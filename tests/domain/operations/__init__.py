"""Tests of ``domain/operations``."""
