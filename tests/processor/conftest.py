"""Each test has an empty database: every due call and waiting record in it is its own."""

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
from tests.support.programs.auditing import stored

__all__ = [
    "caller",
    "clock",
    "group",
    "operating",
    "own_database",
    "pool",
    "processor_database",
    "stored",
    "sweeping",
]
