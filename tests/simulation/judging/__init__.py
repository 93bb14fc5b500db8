"""The checks of a run, during it and at its end."""
