"""The service in containers. Needs a Docker engine, and runs with `make containers` only."""
