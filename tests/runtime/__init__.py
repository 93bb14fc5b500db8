"""Tests of runtime/: logs, jitter and restarts."""
