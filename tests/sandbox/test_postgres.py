"""A real PostgreSQL: it requires its password, keeps its data and shuts down cleanly."""

import asyncio
import stat
from pathlib import Path

import psycopg
import pytest

from sandbox.servers import postgres
from sandbox.supervision.ports import free_ports
from sandbox.supervision.supervisor import Supervisor
from tests.sandbox.helpers import processes_with


def live(tmp_path: Path, *statements: str) -> list[object]:
    """Start, run the statements, stop; returns the first column of the last one's rows."""
    server = postgres.server(tmp_path / "postgres", free_ports(1)[0])

    async def main() -> list[object]:
        async with Supervisor(tmp_path / "logs") as supervisor:
            await supervisor.start(postgres.steps(server, tmp_path / "logs"))
            return await asyncio.to_thread(query, server.url(), statements)

    return asyncio.run(main())


def query(url: str, statements: tuple[str, ...]) -> list[object]:
    """Run the statements in one transaction."""
    with psycopg.connect(url) as connection:
        for statement in statements:
            cursor = connection.execute(statement.encode())
        return [row[0] for row in cursor.fetchall()] if cursor.description else []


def test_data_and_password_survive_a_restart(tmp_path: Path) -> None:
    """Committed data is there after a restart, with the same password."""
    live(tmp_path, "create table kept (n int)", "insert into kept values (7)")
    password = (tmp_path / "postgres" / "password").read_text()
    assert live(tmp_path, "select n from kept") == [7]
    assert (tmp_path / "postgres" / "password").read_text() == password


def test_it_stops_cleanly_and_leaves_no_process(tmp_path: Path) -> None:
    """A fast shutdown writes its checkpoint, so no recovery is needed."""
    live(tmp_path, "select 1")
    log = (tmp_path / "logs" / "postgres.log").read_text()
    assert "database system is shut down" in log
    assert processes_with(str(tmp_path / "postgres")) == []


def test_it_is_version_18_and_durable(tmp_path: Path) -> None:
    """Commits reach the disk: the settings that the project's promises depend on."""
    (version,) = live(tmp_path, "select current_setting('server_version')")
    assert str(version).startswith("18.")
    for setting in ("fsync", "synchronous_commit", "full_page_writes"):
        assert live(tmp_path, f"select current_setting('{setting}')") == ["on"]


def test_access_needs_the_password(tmp_path: Path) -> None:
    """Access needs the SCRAM password, which is in a file of mode 0600."""
    server = postgres.server(tmp_path / "postgres", free_ports(1)[0])

    async def main() -> None:
        async with Supervisor(tmp_path / "logs") as supervisor:
            await supervisor.start(postgres.steps(server, tmp_path / "logs"))
            wrong = server.url().replace((server.directory / "password").read_text(), "guess")
            with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
                await asyncio.to_thread(query, wrong, ("select 1",))

    asyncio.run(main())
    assert stat.S_IMODE((server.directory / "password").stat().st_mode) == 0o600


def test_an_interrupted_initdb_is_repeated(tmp_path: Path) -> None:
    """A start that was interrupted during initdb does not prevent the next one."""
    half = tmp_path / "postgres" / "data.partial"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    assert live(tmp_path, "select 1") == [1]
