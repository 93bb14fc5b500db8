"""What is measured: the service's programs, and what they are compared with."""
