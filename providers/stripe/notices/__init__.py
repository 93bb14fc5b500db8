"""Stripe's thin events: they come to an endpoint of their own, and their content is fetched."""
