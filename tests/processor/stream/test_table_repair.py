"""Damaged folders of the table are deleted; intact ones are kept, however the worker ended."""

import secrets
import shutil
from pathlib import Path
from typing import Final

import pytest
from rocksdict import Options, Rdict

from processor.stream import table_repair
from processor.stream.table_repair import mark_clean_exit, repair

ENTRIES: Final = 2_000


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    """Returns the tables' folder. It has one partition, half in files and half in the log."""
    table = Rdict(str(tmp_path / "dedup-0.db"), Options(raw_mode=True))
    for part in range(2):
        for number in range(ENTRIES):
            table.put(f"{part}-{number:06}".encode(), secrets.token_bytes(64))
        if part == 0:
            table.flush()
    table.close()
    return tmp_path


def overwrite(file: Path, start: int, length: int) -> None:
    """Overwrites part of a file with random bytes."""
    with file.open("r+b") as opened:
        opened.seek(start)
        opened.write(secrets.token_bytes(length))


@pytest.mark.parametrize("pattern", ["CURRENT", "MANIFEST-*", "*.sst"])
def test_a_folder_that_cannot_be_opened_is_deleted(tables: Path, pattern: str) -> None:
    """The files that RocksDB reads first are damaged."""
    folder = tables / "dedup-0.db"
    for file in folder.glob(pattern):
        overwrite(file, 0, file.stat().st_size)
    assert repair(tables) == [folder]
    assert not folder.exists()


def test_damage_in_the_middle_is_found_after_an_unclean_shutdown(tables: Path) -> None:
    """After a clean shutdown it is not searched for. After any other the folder is deleted."""
    folder = tables / "dedup-0.db"
    file = max(folder.glob("*.sst"))
    overwrite(file, file.stat().st_size // 2, 64)
    assert repair(tables) == []
    mark_clean_exit(tables)
    assert repair(tables) == []
    assert repair(tables) == [folder], "no clean shutdown followed the last start"


def test_an_unclean_shutdown_alone_deletes_nothing(tables: Path, tmp_path: Path) -> None:
    """A worker that was killed keeps its table, even if it was killed during a write."""
    left = tmp_path / "left"
    table = Rdict(str(tables / "dedup-0.db"), Options(raw_mode=True))
    table.put(b"2-last", b"written")
    shutil.copytree(tables / "dedup-0.db", left / "dedup-0.db")
    table.close()
    (log,) = (file for file in (left / "dedup-0.db").glob("*.log") if file.stat().st_size)
    with log.open("r+b") as opened:
        opened.truncate(log.stat().st_size - 3)
    assert [repair(left) for _ in range(3)] == [[], [], []]
    table = Rdict(str(left / "dedup-0.db"), Options(raw_mode=True))
    assert table.get(f"1-{ENTRIES - 1:06}".encode()) is not None
    table.close()


def test_a_folder_in_use_is_left_alone(tables: Path) -> None:
    """Another worker has it open, which is no damage."""
    table = Rdict(str(tables / "dedup-0.db"), Options(raw_mode=True))
    assert [repair(tables) for _ in range(2)] == [[], []]
    assert table.get(b"0-000000") is not None
    table.close()


@pytest.mark.parametrize(
    ("error", "is_damage"),
    [
        ("Corruption: block checksum mismatch", True),
        ("IO error: No such file or directory: While open a file", True),
        ("IO error: No space left on device", False),
        ("IO error: While lock file: Resource temporarily unavailable", False),
    ],
)
def test_only_damage_deletes_a_folder(
    tables: Path, monkeypatch: pytest.MonkeyPatch, error: str, *, is_damage: bool
) -> None:
    """After a lock or a full disk the folder is as good as before."""

    def failing(*_: object, **__: object) -> None:
        raise Exception(error)  # noqa: TRY002 -- as rocksdict does

    monkeypatch.setattr(table_repair, "Rdict", failing)
    assert (repair(tables) != []) is is_damage
    assert (tables / "dedup-0.db").exists() is not is_damage
