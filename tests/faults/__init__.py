"""Real processes that fail at failpoints."""
