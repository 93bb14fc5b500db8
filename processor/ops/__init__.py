"""Operators' commands: audit, rebuild, replay and dead letters."""
