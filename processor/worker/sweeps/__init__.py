"""What the leading worker asks providers and Postgres for, round after round."""
