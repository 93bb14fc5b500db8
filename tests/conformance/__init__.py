"""What any provider's adapter must do, whichever provider it is. Each is one row in ADAPTERS."""
