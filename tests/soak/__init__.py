"""A long run under an even load: what grows with time, and must not."""
