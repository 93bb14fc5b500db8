"""Stripe's HTTP conventions: forms, keys, lists, errors."""
