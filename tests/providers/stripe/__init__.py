"""Tests of Stripe's adapter: webhooks, responses, and calls to the simulator."""
