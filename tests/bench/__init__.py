"""What the benchmarks measure with: the work must be real, and wrong results must be seen."""
