"""What an operator runs: audit, rebuild, quarantines."""
