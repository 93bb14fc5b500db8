"""Kafka, PostgreSQL and what they are made of."""
