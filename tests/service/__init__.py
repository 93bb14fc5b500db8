"""The whole service as real processes, from HTTP to ``payment-state``."""
