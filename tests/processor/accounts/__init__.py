"""Accounts that not every program knows: what waits for them, and that nothing is lost."""
