"""Putting records into Kafka: one producer component for every program."""
