"""The adapter of Stripe: webhooks, provider calls, look-ups and undelivered events."""
