"""Attacks: raw bytes, poison, unforeseen exceptions and hangs. Each must leave other work alone."""
