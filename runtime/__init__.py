"""What every program uses at run time: logs, health, heartbeats, clean shutdown, jitter."""
