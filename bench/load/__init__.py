"""The workload of the benchmarks, and the checks of its results."""
