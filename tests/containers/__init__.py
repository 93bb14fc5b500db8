"""The service in containers. Needs a Docker engine, and runs by `make containers` alone."""
