"""Stripe's objects and their operations."""
