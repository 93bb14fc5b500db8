"""If RocksDB can't read or write its files, the worker restarts and opens them again."""

from types import SimpleNamespace
from typing import Any

import pytest

from ports.errors import TableFilesError
from ports.failures import must_propagate
from processor.stream.faust_internals.table import PartitionedTable

pytestmark = pytest.mark.anyio

FULL = "IO error: No space left on device: While appending to file: /data/dedup-0.db/000008.log"
DAMAGED = "Corruption: block checksum mismatch"


class Broken:
    """A RocksDB whose every operation fails with this message."""

    def __init__(self, message: str) -> None:
        self._error = Exception(message)

    def get(self, _: object) -> None:
        """See ``rocksdict``."""
        raise self._error

    write = get

    def iter(self) -> None:
        """See ``rocksdict``."""
        raise self._error


def _table(message: str) -> PartitionedTable:
    broken = Broken(message)
    data = SimpleNamespace(_db_for_partition=lambda _: broken)
    app: Any = SimpleNamespace()
    return PartitionedTable(app, SimpleNamespace(data=data))


@pytest.mark.parametrize("message", [FULL, DAMAGED])
async def test_an_error_of_the_files_ends_the_worker(message: str) -> None:
    """RocksDB refuses all later writes, so only a restart helps."""
    table = _table(message)
    with pytest.raises(TableFilesError, match=message[:10]) as found:
        table.get(0, [b"key"])
    assert must_propagate(found.value)
    with pytest.raises(TableFilesError):
        table.walk(0, b"", 10)
    with pytest.raises(TableFilesError):
        await table.put(0, {b"key": b"value"})


async def test_any_other_error_does_not_end_the_worker() -> None:
    """Postgres detects the duplicates, so a failing key stops no batch."""
    table = _table("Invalid argument: what our own code gave it")
    with pytest.raises(Exception, match="Invalid argument") as found:
        await table.put(0, {b"key": b"value"})
    assert not must_propagate(found.value)
