"""The ingress, as a client, a provider and an operator meet it."""
