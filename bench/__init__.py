"""Benchmarks: the real processes on a real Kafka and Postgres, and alternatives for comparison.

``benchmarks.py`` is the table; ``python -m bench`` runs it.
"""
