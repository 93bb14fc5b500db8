"""The load and the faults of a run."""
