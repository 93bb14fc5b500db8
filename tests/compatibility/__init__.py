"""Tests of the gate that keeps the formats of others as they were frozen."""
