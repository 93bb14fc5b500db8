"""The service's programs, on the simulated machines."""
