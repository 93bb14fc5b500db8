"""The page of outcomes: what becomes of every input in every state."""
