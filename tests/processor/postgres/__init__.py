"""The transaction of a batch on a real Postgres, and what Postgres itself refuses."""
