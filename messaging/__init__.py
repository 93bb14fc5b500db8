"""Kafka: producers and consumers, built on aiokafka."""
