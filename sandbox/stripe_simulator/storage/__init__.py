"""The simulator's storage."""
