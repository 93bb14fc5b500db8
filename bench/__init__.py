"""Benchmarks: the real processes on a real Kafka and Postgres, beside the same work done otherwise.

``benchmarks.py`` is the table; ``python -m bench`` runs it.
"""
