"""A downstream service with confluent-kafka that keeps a table of payments."""
