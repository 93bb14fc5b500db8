"""Tests of the ingress as clients, providers and operators use it."""
