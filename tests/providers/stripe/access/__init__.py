"""Tests of what the client asks Stripe."""
