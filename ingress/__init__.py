"""The HTTP side: authenticate, check, publish, answer. It decides nothing about a payment."""
