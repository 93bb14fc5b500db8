"""Outages of brokers, Postgres, the provider, disks, clocks and workers."""
