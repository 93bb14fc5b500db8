"""Tests of each endpoint as a client or a provider uses it."""
