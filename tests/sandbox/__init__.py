"""Tests of the sandbox: real processes, a real Kafka, a real PostgreSQL."""
