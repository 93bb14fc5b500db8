"""Tests of the processor and of what it runs on: one file per module."""
