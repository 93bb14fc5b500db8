"""Makes the provider calls in the outbox."""
