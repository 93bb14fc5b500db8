"""Kafka in memory: partitions, groups, fenced producers, the changelog."""
