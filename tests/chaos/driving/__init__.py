"""Load and faults."""
