"""A store as after a year in use: real payments, multiplied."""
