"""Groups of settings that several programs, or several parts of one, have."""
