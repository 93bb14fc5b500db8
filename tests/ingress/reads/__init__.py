"""Reads of the API, from a real Postgres."""
