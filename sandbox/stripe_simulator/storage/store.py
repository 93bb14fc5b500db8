"""One account's state: a SQLite file, or an in-memory database without a folder.

Each request is one transaction. With ``synchronous=off`` a transaction survives the process but not
a crash of the machine, which is sufficient here.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from sandbox.stripe_simulator.storage.tables import SCHEMA, TABLES
from sandbox.stripe_simulator.storage.types import JsonObject

_NAME, _END = "stripe_simulator", ".sqlite3"


class Store:
    """The simulator's tables, and the objects in them.

    Args:
        folder: the file's folder; None keeps everything in memory.
        account: in the file's name, so that each account has a file of its own.
        is_live: whether its objects are of live mode.
    """

    def __init__(
        self, folder: Path | None, account: str | None = None, *, is_live: bool = False
    ) -> None:
        self.is_live = is_live
        if folder is None:
            place = ":memory:"
        else:
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / (f"{_NAME}.{account}{_END}" if account else f"{_NAME}{_END}")
            path.touch(mode=0o600)  # it contains webhook secrets
            place = str(path)
        # One thread at a time uses it, not always the one that opened it.
        self._db = sqlite3.connect(place, isolation_level=None, check_same_thread=False)
        self._db.execute("pragma journal_mode = wal")
        self._db.execute("pragma synchronous = off")
        self._db.executescript(SCHEMA)
        self.created: list[str] = []

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit all writes of the block, or none; ``created`` lists the objects it created."""
        self.created = []
        self._db.execute("begin immediate")
        try:
            yield
        except BaseException:
            self._db.execute("rollback")
            raise
        self._db.execute("commit")

    def run(self, statement: str, values: Sequence[Any] = ()) -> int:
        """Execute one statement and return the row ID it inserted, if it did."""
        return self._db.execute(statement, values).lastrowid or 0

    def run_many(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        """Execute one statement for each row."""
        self._db.executemany(statement, rows)

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        """All rows of a query, as tuples."""
        return self._db.execute(query, values).fetchall()

    def row(self, query: str, values: Sequence[Any] = ()) -> Any:
        """The first row of a query, as a tuple, or None."""
        return self._db.execute(query, values).fetchone()

    def insert(self, body: JsonObject) -> None:
        """Insert a new object, which gets the account's mode if it has one."""
        if "livemode" in body:
            body["livemode"] = self.is_live
        owner = body["id"] if body["object"] == "payment_intent" else body.get("payment_intent")
        self._db.execute(
            "insert into objects (kind, id, created, payment_intent, charge, body)"
            " values (?, ?, ?, ?, ?, ?)",
            (body["object"], body["id"], body["created"], owner, body.get("charge"), encode(body)),
        )
        self.created.append(body["id"])

    def update(self, body: JsonObject) -> None:
        """Replace an object's body."""
        self._db.execute("update objects set body = ? where id = ?", (encode(body), body["id"]))

    def find(self, kind: str, object_id: str) -> JsonObject | None:
        """An object by its ID, or None."""
        row = self.row("select body from objects where id = ? and kind = ?", (object_id, kind))
        return None if row is None else decode(row[0])

    def get(self, kind: str, object_id: str) -> JsonObject:
        """An object that is known to exist."""
        found = self.find(kind, object_id)
        if found is None:
            raise KeyError(f"{kind} {object_id}")
        return found

    def of_charge(self, kind: str, charge_id: str) -> list[JsonObject]:
        """A charge's objects of one kind, oldest first."""
        query = "select body from objects where charge = ? and kind = ? order by seq"
        return [decode(body) for (body,) in self.rows(query, (charge_id, kind))]

    def rendering(self, event_seq: int, version: str) -> str | None:
        """An event's body in the form of an older version, if it has one."""
        query = "select body from renderings where event_seq = ? and version = ?"
        row = self.row(query, (event_seq, version))
        return None if row is None else str(row[0])

    def count(self, name: str, by: int = 1) -> int:
        """Increment a stored counter and return its new value."""
        (value,) = self.row(
            "insert into counters values (?, ?)"
            " on conflict (name) do update set value = value + excluded.value returning value",
            (name, by),
        )
        return int(value)

    def write_note(self, name: str, value: str) -> None:
        """Store a value under a name."""
        self._db.execute("replace into notes values (?, ?)", (name, value))

    def read_note(self, name: str) -> str | None:
        """The value stored under a name, or None."""
        row = self.row("select value from notes where name = ?", (name,))
        return None if row is None else str(row[0])

    def clear(self) -> None:
        """Empty every table; row IDs go on, so work in flight does not match new rows."""
        with self.transaction():
            for table in TABLES:
                self._db.execute(f"delete from {table}")  # noqa: S608 - the names are the constants above


def encode(value: Any) -> str:
    """JSON text."""
    return msgspec.json.encode(value).decode()


def decode(text: str) -> Any:
    """The value of JSON text."""
    return msgspec.json.decode(text)
