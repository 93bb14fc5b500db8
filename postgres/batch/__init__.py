"""A batch: its transaction, its statements, and what it leaves to publish."""
