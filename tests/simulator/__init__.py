"""Tests of the Stripe simulator, with the official ``stripe`` package as its client."""
