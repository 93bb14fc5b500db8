"""The benchmarks of the service's programs and of their peers."""
