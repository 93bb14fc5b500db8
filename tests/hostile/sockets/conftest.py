"""Servers to attack: one for each set of limits, for the whole session."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Final

import pytest
from pydantic import SecretStr

from ingress.database import Database
from ingress.http import open_files
from ingress.http.connections import Limits
from tests.hostile.sockets.server import Server, serving
from tests.ingress.harness import NOWHERE, Log

DEFAULT: Final = Limits(
    head_bytes=16_384,
    head_s=10.0,
    body_s=10.0,
    keep_alive_s=30.0,
    response_s=10.0,
    connections=500,
    open_files=1024,
)
STRICT: Final = replace(DEFAULT, head_s=0.5, body_s=0.8, keep_alive_s=1.2, response_s=0.7)
#: The limit that ``ingress.bootstrap`` derives from 1,024 file handles.
FULL: Final = replace(DEFAULT, connections=1024 - open_files.RESERVED)
TIGHT: Final = replace(DEFAULT, connections=20, open_files=256)


@pytest.fixture(scope="session")
def default_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with long deadlines."""
    with serving(DEFAULT, tmp_path_factory.mktemp("default") / "server.log") as server:
        yield server


@pytest.fixture(scope="session")
def strict_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with short deadlines."""
    with serving(STRICT, tmp_path_factory.mktemp("strict") / "server.log") as server:
        yield server


@pytest.fixture(scope="session")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with 1,024 file handles."""
    with serving(FULL, tmp_path_factory.mktemp("full") / "server.log") as server:
        yield server


@pytest.fixture(scope="session")
def tight(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that allows 20 connections."""
    with serving(TIGHT, tmp_path_factory.mktemp("tight") / "server.log") as server:
        yield server


@pytest.fixture
def log() -> Log:
    """An empty log."""
    return Log()


@pytest.fixture
async def no_database() -> AsyncIterator[Database]:
    """A database at an address that refuses connections; the ingress must accept without one."""
    async with Database(SecretStr(NOWHERE)) as database:
        yield database
