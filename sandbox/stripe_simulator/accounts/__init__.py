"""The simulator's accounts: which there are, whose a request is, and how often each is asked."""
