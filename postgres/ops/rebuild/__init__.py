"""The rebuild's SQL: what it keeps, where it decides again, and what it compares."""
