"""What a run is held to, while it runs and at its end."""
