"""Tests of what an ingress process knows by following topics."""
