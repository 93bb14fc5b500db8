"""The samples of a soak run, and the test for growth. Pure except ``take``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

import psutil  # type: ignore[import-untyped]  # it ships no types
import psycopg

from tests.service.stack import Stack

PROGRAMS: Final = ("ingress", "stream", "worker")
MIB: Final = 1024 * 1024
#: The number of rows that retention deletes.
_HISTORY: Final = "select (select count(*) from inbox) + (select count(*) from duplicates)"


@dataclass(frozen=True, slots=True)
class Limit:
    """The allowed growth from the second quarter to the last: a share, or an absolute amount."""

    part: float
    count: float


#: Limits by measurement. The first quarter warms up caches and fills the retention.
LIMITS: Final[Mapping[str, Limit]] = {
    "memory, MiB": Limit(0.10, 16),
    "file handles": Limit(0.0, 8),
    "threads": Limit(0.0, 4),
    "table on disk, MiB": Limit(0.25, 8),
    "rows of history": Limit(0.25, 500),
}
Sample = Mapping[str, float]


def take(stack: Stack, tables: Path) -> Sample:
    """Samples every program, the table's folder and Postgres."""
    found: dict[str, float] = {}
    for name in PROGRAMS:
        process = psutil.Process(stack.programs[name].process.pid)
        with process.oneshot():
            found[f"{name}: memory, MiB"] = process.memory_info().rss / MIB
            # the number of open connections depends on the clients
            found[f"{name}: file handles"] = process.num_fds() - _connected(process)
            found[f"{name}: threads"] = process.num_threads()
    found["table on disk, MiB"] = _size(tables) / MIB
    with psycopg.connect(stack.infrastructure.database_url) as connection:
        row = connection.execute(_HISTORY).fetchone()
    found["rows of history"] = float(row[0]) if row is not None else 0.0
    return found


def _connected(process: psutil.Process) -> int:
    connections = process.net_connections(kind="tcp")
    return sum(each.status == psutil.CONN_ESTABLISHED for each in connections)


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size
        except FileNotFoundError:
            continue  # RocksDB has merged the file into another
    return total


@dataclass(frozen=True, slots=True)
class Row:
    """A measurement in the second and in the last quarter, and whether it has grown."""

    name: str
    before: float
    after: float
    has_grown: bool


def compare(samples: Sequence[Sample]) -> list[Row]:
    """The medians of the second and the last quarter of at least four samples."""
    quarter = len(samples) // 4
    second, last = samples[quarter : 2 * quarter], samples[-quarter:]
    rows = []
    for name in samples[0]:
        before, after = (median(s[name] for s in part) for part in (second, last))
        limit = LIMITS[name.rpartition(": ")[2]]
        rows.append(Row(name, before, after, after > before * (1 + limit.part) + limit.count))
    return rows
