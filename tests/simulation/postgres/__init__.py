"""Postgres in memory: tables, locks, transactions."""
