"""Deterministic simulation: the whole pipeline in virtual time, with faults drawn from a seed."""
