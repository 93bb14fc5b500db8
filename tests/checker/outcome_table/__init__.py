"""What becomes of every input in every state, as a page."""
