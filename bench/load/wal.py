"""What Postgres writes to its log, from ``pg_waldump``: bytes, whole pages, and updates."""

import asyncio
import re
from dataclasses import dataclass
from typing import Any, Final

import psycopg

from bench.errors import BenchError
from bench.site import Site
from sandbox.servers.postgres import installation

POSITION: Final = "select pg_current_wal_flush_lsn()::text"
FOLDER: Final = "select current_setting('data_directory') || '/pg_wal'"
#: Type of record, and of its records: number, bytes, bytes of whole pages.
_LINE: Final = re.compile(r"(\S+)\s+(\d+) \([^)]*\)\s+(\d+) \([^)]*\)\s+(\d+) \(")


@dataclass(frozen=True, slots=True)
class Written:
    """What was written: bytes, how many of them are whole pages, and updates of rows.

    A page's first change after a checkpoint writes the whole page. An update is HOT if it touches
    no index.
    """

    bytes: int
    page_bytes: int
    updates: int
    hot_updates: int

    def __add__(self, other: "Written") -> "Written":
        return Written(
            self.bytes + other.bytes,
            self.page_bytes + other.page_bytes,
            self.updates + other.updates,
            self.hot_updates + other.hot_updates,
        )

    def figures(self, count: int) -> dict[str, float]:
        """Bytes per webhook, and the share of HOT updates, by the names of a sample's figures."""
        return {
            "wal_bytes": self.bytes / count,
            "wal_page_bytes": self.page_bytes / count,
            "hot_percent": 100 * self.hot_updates / max(1, self.updates),
        }


async def checkpoint(site: Site) -> None:
    """Writes a checkpoint, so that the next change of every page counts as its first."""
    await _value(site, "checkpoint")


async def position(site: Site) -> str:
    """The end of what is written."""
    return str(await _value(site, POSITION))


async def since(site: Site, begin: str) -> Written:
    """What was written from this position to the present end. Raises BenchError.

    Call it before a later checkpoint removes it.
    """
    folder, end = str(await _value(site, FOLDER)), await position(site)
    dump = await asyncio.create_subprocess_exec(
        str(installation() / "bin" / "pg_waldump"),
        *("--stats=record", f"--path={folder}", f"--start={begin}", f"--end={end}"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    stdout, stderr = await dump.communicate()
    if dump.returncode:
        raise BenchError(f"pg_waldump: {stderr.decode().strip()}")
    return parse(stdout.decode())


def parse(text: str) -> Written:
    """Reads what ``pg_waldump --stats=record`` prints."""
    found = {
        name: tuple(map(int, numbers))
        for name, *numbers in (m.groups() for m in map(_LINE.match, text.splitlines()) if m)
        if "/" in name
    }
    hot = sum(each[0] for name, each in found.items() if name.startswith("Heap/HOT_UPDATE"))
    cold = sum(each[0] for name, each in found.items() if name.startswith("Heap/UPDATE"))
    pages = sum(each[2] for each in found.values())
    return Written(sum(each[1] for each in found.values()) + pages, pages, hot + cold, hot)


async def _value(site: Site, statement: str) -> Any:
    connect = psycopg.AsyncConnection.connect
    async with await connect(site.database_url, autocommit=True) as connection:
        cursor = await connection.execute(statement.encode())
        row = await cursor.fetchone() if cursor.description else None
        return row[0] if row else None
