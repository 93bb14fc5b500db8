"""A Stripe that misbehaves on purpose: its HTTP API, its webhooks and its failures, on a laptop."""
