"""Stripe's objects, and what happens to them."""
