"""Tests of the reconciler's sweeps, each on its own clock."""
