"""Provider adapters, one folder each, behind ``ports.provider``. Their terms stay inside."""
