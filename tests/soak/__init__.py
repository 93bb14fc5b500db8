"""A long run under a steady load, which finds unbounded growth."""
