"""The service's programs on simulated machines."""
