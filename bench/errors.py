"""What ends a benchmark without a figure.

BenchError
├── WrongResultError   the work was not done, or not done right: its speed means nothing
├── StuckError         the work was not done in time
└── ProfilerError      the profiler could not look into the program
"""


class BenchError(Exception):
    """Base of what a benchmark raises; the text is for the person at the terminal."""


class WrongResultError(BenchError):
    """What is stored or answered in the end is not what the workload says must be."""


class StuckError(BenchError):
    """Nothing more happened before the deadline."""


class ProfilerError(BenchError):
    """The profiler did not start, or did not write what it saw."""
