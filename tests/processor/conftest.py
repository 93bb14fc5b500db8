"""A database of the processor's tests, empty for each: what is due or waiting is the test's own."""

from tests.support.fixtures import (
    caller,
    clock,
    group,
    operating,
    own_database,
    pool,
    processor_database,
    sweeping,
)

__all__ = [
    "caller",
    "clock",
    "group",
    "operating",
    "own_database",
    "pool",
    "processor_database",
    "sweeping",
]
