"""Kafka and PostgreSQL: installation and start."""
