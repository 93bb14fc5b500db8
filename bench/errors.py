"""Errors that end a benchmark without a figure.

BenchError
├── WrongResultError   the result is wrong or incomplete, so its speed is meaningless
├── StuckError         the work was not done in time
└── ProfilerError      the profiler could not attach to the program
"""


class BenchError(Exception):
    """The base of a benchmark's errors; the text is for the user."""


class WrongResultError(BenchError):
    """The stored result or the responses differ from the workload's expectation."""


class StuckError(BenchError):
    """No progress before the deadline."""


class ProfilerError(BenchError):
    """The profiler did not start, or wrote no profile."""
