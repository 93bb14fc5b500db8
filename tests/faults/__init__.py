"""Real processes that fail at named places: what they leave, and what becomes of it."""
