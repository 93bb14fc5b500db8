"""Probes that the tests of isolation run in separate sessions; not collected by name."""

import gc
import socket
import stat
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from sandbox.supervision.privileges import make_reachable
from sandbox.supervision.readiness import kafka_answers
from sandbox.testing import Infrastructure
from schemas.settings import variables
from tests.isolation.sessions import PROBES, outcome, session

SLEEPS = "import time; time.sleep(600) # {mark}"
HAS_CHILD = (
    "import subprocess, sys, time; "
    "subprocess.Popen([sys.executable, '-c', {child!r}], start_new_session=True); "
    "time.sleep(600) # {mark}"
)


def start(mark: Path) -> None:
    """Start a program that does not end, with a child in a separate session."""
    code = HAS_CHILD.format(child=SLEEPS.format(mark=mark), mark=mark)
    process = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)  # noqa: S603
    process.returncode = 0  # prevents Python's warning about a running child


def hang(message: str) -> None:
    """Wait until the session is ended."""
    sys.stderr.write(f"{message}\n")
    sys.stderr.flush()
    subprocess.run([sys.executable, "-c", SLEEPS.format(mark="hangs")], check=False)  # noqa: S603


def test_hangs_with_programs(tmp_path: Path) -> None:
    """Programs are running when the session is ended."""
    start(tmp_path)
    hang("up")


@pytest.mark.anyio
async def test_hangs_with_servers(infrastructure: Infrastructure, tmp_path: Path) -> None:
    """A broker, a database and programs are running when the session is ended."""
    assert await kafka_answers(infrastructure.kafka_bootstrap, 1)()
    start(tmp_path)
    hang("up")


def test_leaves_a_program_running(tmp_path: Path) -> None:
    """Passes and leaves a program running."""
    start(tmp_path)


def test_leaves_a_socket_open() -> None:
    """Passes and leaves a socket for the garbage collector."""
    gc.disable()  # until the session ends
    cycle: list[object] = [socket.socket()]
    cycle.append(cycle)


@pytest.mark.anyio
async def test_uses_servers(infrastructure: Infrastructure) -> None:
    """The session's own broker and database, both in use."""
    assert await kafka_answers(infrastructure.kafka_bootstrap, 1)()
    with psycopg.connect(infrastructure.database_url) as connection:
        connection.execute("create table mine ()")  # it would exist in another session's database


def test_writes_a_file(tmp_path: Path) -> None:
    """Writes a temporary file."""
    (tmp_path / "file").touch()


def test_others_may_enter(tmp_path: Path) -> None:
    """A folder opened to another user stays open while other sessions begin and end."""
    make_reachable(tmp_path)
    with session(None, f"{PROBES}::test_writes_a_file") as other:
        assert outcome(other)[0] == 0
    closed = [folder for folder in tmp_path.parents if not folder.stat().st_mode & stat.S_IXOTH]
    assert closed == []
    sys.stderr.write(f"its folder was {tmp_path}\n")


def test_no_setting_is_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller's environment sets no setting of the service."""
    for name, _, _ in variables():
        with pytest.raises(KeyError):
            monkeypatch.delenv(name)
