"""The adapters under test, and what the kit needs."""
