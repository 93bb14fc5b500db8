"""What the service stands on fails: brokers, Postgres, the provider, disks, clocks, workers."""
