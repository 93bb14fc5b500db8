"""Tests of Stripe's thin events."""
