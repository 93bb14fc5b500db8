"""The operator's commands: audit, rebuild, replay, dead letters."""
