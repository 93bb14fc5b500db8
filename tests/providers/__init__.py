"""Tests of each provider's adapter, in one folder per provider."""
