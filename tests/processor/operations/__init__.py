"""Tests of what becomes of operations, in the stream."""
