"""Tests of the running service with Stripe's reports of events that were never made."""
