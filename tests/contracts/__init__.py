"""Checks against Stripe's OpenAPI description. They need Go; only `make contracts` runs them."""
