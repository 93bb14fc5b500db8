"""The consumers of ``examples/``: how each is run, and what is in its table."""

import json
import os
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from sandbox.topology import PROJECT

EXAMPLES: Final = PROJECT / "examples"
#: `make test` makes both; the first one beside the environment of the tests. Without `make` they
#: may be missing.
PYTHON: Final = Path(sys.prefix).with_name(".venv-examples") / "bin" / "python"
NODE: Final = shutil.which("node")
MODULES: Final = EXAMPLES / "node_consumer" / "node_modules"


@dataclass(frozen=True, slots=True)
class Row:
    """A payment in a table."""

    version: int
    is_quarantined: bool
    document: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rows:
    """A whole table: payments by their ID; status and code of operations by theirs."""

    payments: Mapping[str, Row]
    operations: Mapping[str, tuple[str, str | None]]


NOTHING: Final = Rows({}, {})


@dataclass(frozen=True, slots=True)
class Example:
    """One consumer.

    Args:
        argv: the program; the path of its table comes last.
        read: what is in the table at a path; nothing if there is none yet.
        not_writable: while it is entered, the program can't write its table.
        complains: what it prints then.
    """

    argv: tuple[str, ...]
    read: Callable[[Path], Rows]
    not_writable: Callable[[Path], AbstractContextManager[None]]
    complains: str


def _in_sqlite(path: Path) -> Rows:
    if not path.exists():
        return NOTHING
    with closing(sqlite3.connect(path, isolation_level=None)) as table:
        table.execute("begin")  # what is read is of one moment
        made = {name for (name,) in table.execute("select name from sqlite_master")}
        if not {"payments", "operations"} <= made:
            return NOTHING
        payments = table.execute("select payment_id, version, quarantined, document from payments")
        operations = table.execute("select operation_id, status, code from operations")
        return Rows(
            {row[0]: Row(row[1], bool(row[2]), json.loads(row[3])) for row in payments},
            {row[0]: (row[1], row[2]) for row in operations},
        )


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Another connection has the only right to write."""
    with closing(sqlite3.connect(path, isolation_level=None)) as table:
        table.execute("pragma journal_mode = wal")
        table.execute("begin immediate")
        yield
        table.execute("rollback")


def _in_json(path: Path) -> Rows:
    if not path.is_file():
        return NOTHING
    found = json.loads(path.read_text())
    return Rows(
        {
            payment_id: Row(row["version"], row["quarantined"], row["document"])
            for payment_id, row in found["payments"].items()
        },
        {key: (row["status"], row["code"]) for key, row in found["operations"].items()},
    )


@contextmanager
def _occupied(path: Path) -> Iterator[None]:
    """A folder stands where the program writes its file before it renames it."""
    folder = path.with_name(f"{path.name}.new")
    folder.mkdir()
    yield
    folder.rmdir()


WITH_PYTHON: Final = Example(
    (str(PYTHON), str(EXAMPLES / "python_consumer" / "consumer.py")),
    _in_sqlite,
    _locked,
    "database is locked",
)
WITH_NODE: Final = Example(
    (str(NODE), str(EXAMPLES / "node_consumer" / "consumer.js")), _in_json, _occupied, "EISDIR"
)
NEEDS_PYTHON: Final = pytest.mark.skipif(
    not PYTHON.exists() and "CI" not in os.environ, reason="needs .venv-examples"
)
NEEDS_NODE: Final = pytest.mark.skipif(
    NODE is None or (not MODULES.exists() and "CI" not in os.environ),
    reason="needs Node.js, and node_modules in examples/node_consumer",
)
CONSUMERS: Final = (
    pytest.param(WITH_PYTHON, id="python", marks=NEEDS_PYTHON),
    pytest.param(WITH_NODE, id="node", marks=NEEDS_NODE),
)
