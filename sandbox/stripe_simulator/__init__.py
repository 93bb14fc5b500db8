"""A local Stripe simulator with fault injection: its HTTP API and its webhooks."""
