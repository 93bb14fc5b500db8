"""Held to Stripe's own description of its API. Needs Go, and runs by `make contracts` alone."""
