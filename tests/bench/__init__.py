"""Tests of the benchmarks: the work is real, and wrong results are detected."""
