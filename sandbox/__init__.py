"""Everything a laptop needs: a real Kafka, a real PostgreSQL and a Stripe simulator."""
