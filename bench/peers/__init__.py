"""What the service is measured beside. Each is as good as its kind can be made."""
