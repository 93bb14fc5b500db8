"""The worker's loops, one file of tests per module."""
