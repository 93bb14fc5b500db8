"""Combines the provider's facts: which object each is about, and which of them count."""
