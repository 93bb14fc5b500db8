"""The ends of the programs' logs, for the report of a failed test."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final, Protocol, runtime_checkable

BYTES_MAX: Final = 3_000
"""Of each log."""


@runtime_checkable
class HasLogs(Protocol):
    """A fixture's value that runs programs."""

    @property
    def logs(self) -> Path:
        """The folder of the programs' logs."""


def folders_of_logs(values: Iterable[object]) -> set[Path]:
    """Returns the folders of the values that run programs."""
    return {value.logs for value in values if isinstance(value, HasLogs)}


def ends_of_logs(folder: Path) -> list[tuple[str, str]]:
    """Returns each log's name and its last lines, sorted by name."""
    return [(f"end of {log.name}", _end(log)) for log in sorted(folder.glob("*.log"))]


def _end(log: Path) -> str:
    size = log.stat().st_size
    with log.open("rb") as file:
        file.seek(max(0, size - BYTES_MAX))
        return file.read().decode(errors="replace")
