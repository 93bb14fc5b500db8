"""Tests of our requests to a provider that limits their rate."""
