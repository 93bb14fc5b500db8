"""What every program runs with."""
