"""What a run starts, and the links between it."""
