"""RocksDB that can't read or write its files: the worker starts again, which opens them again."""

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
    """A RocksDB that fails on everything with these words."""

    def __init__(self, words: str) -> None:
        self._error = Exception(words)

    def get(self, _: object) -> None:
        """See ``rocksdict``."""
        raise self._error

    write = get

    def iter(self) -> None:
        """See ``rocksdict``."""
        raise self._error


def _table(words: str) -> PartitionedTable:
    broken = Broken(words)
    data = SimpleNamespace(_db_for_partition=lambda _: broken)
    app: Any = SimpleNamespace()
    return PartitionedTable(app, SimpleNamespace(data=data))


@pytest.mark.parametrize("words", [FULL, DAMAGED])
async def test_trouble_with_the_files_is_an_outage(words: str) -> None:
    """It refuses all later writes, so going on without it would last for ever."""
    table = _table(words)
    with pytest.raises(TableFilesError, match=words[:10]) as found:
        table.get(0, [b"key"])
    assert must_propagate(found.value)
    with pytest.raises(TableFilesError):
        table.walk(0, b"", 10)
    with pytest.raises(TableFilesError):
        await table.put(0, {b"key": b"value"})


async def test_any_other_error_is_its_own() -> None:
    """Postgres detects the duplicates: one key that fails stops no batch."""
    table = _table("Invalid argument: what our own code gave it")
    with pytest.raises(Exception, match="Invalid argument") as found:
        await table.put(0, {b"key": b"value"})
    assert not must_propagate(found.value)
