"""What every program runs with: health, its status server, orderly ends, pauses with jitter."""
