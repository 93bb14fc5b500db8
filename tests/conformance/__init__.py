"""What every provider's adapter must do. Each adapter is one row in ADAPTERS."""
