"""Attacks: raw bytes, poison, unforeseen exceptions and hangs, each beside someone well-behaved."""
