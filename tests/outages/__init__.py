"""Outages of what the service depends on: brokers, Postgres, provider, disks, clocks, workers."""
