"""Several accounts in one simulator."""
