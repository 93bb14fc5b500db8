"""Stripe's adapter: its bytes, its answers, and its calls of the simulator."""
