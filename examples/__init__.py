"""Programs of others that use the service: they import nothing of it, and can be copied."""
