"""Tests of runtime/: logs and jitter."""
