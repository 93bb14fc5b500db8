"""Profiles of the measured programs."""
