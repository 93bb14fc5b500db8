"""Stripe behind the port: verify and translate its webhooks, make calls, fetch what got lost."""
