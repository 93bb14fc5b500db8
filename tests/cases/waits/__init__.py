"""Cases of clients that wait for a decision, or read at once."""
