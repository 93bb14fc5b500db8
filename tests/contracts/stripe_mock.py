"""stripe-mock: Stripe's OpenAPI description, and a server that refuses what it doesn't allow."""

import asyncio
import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sandbox.errors import DownloadError, SandboxError
from sandbox.jars import cache_folder
from sandbox.ports import HOST, free_ports
from sandbox.processes import Command
from sandbox.readiness import listens
from sandbox.supervisor import Program, Supervisor

MODULE: Final = "github.com/stripe/stripe-mock"
VERSION: Final = "v0.203.0"
#: The hash of the module's files, as a go.sum has it.
SUM: Final = "h1:EzW7nb/fphqcAkgVRHAaC88OaAZo6SBWSl54cflDTio="
WITHIN_S: Final = 300.0


@dataclass(frozen=True, slots=True)
class StripeMock:
    """Where its source and its program are, both outside of the project."""

    source: Path
    program: Path

    @property
    def openapi(self) -> Path:
        """The folder with the description, spec3.json, and examples of objects, fixtures3.json."""
        return self.source / "embedded" / "openapi"


def installed() -> StripeMock:
    """The pinned version, downloaded and built where that was not done before.

    Raises:
        SandboxError: there is no Go.
        DownloadError: it could not be had, or is not the one that was pinned.
    """
    module = json.loads(_go(Path.cwd(), "mod", "download", "-json", f"{MODULE}@{VERSION}"))
    if module["Sum"] != SUM:
        raise DownloadError(f"{MODULE} {VERSION} is not the one that was pinned: {module['Sum']}")
    source = Path(module["Dir"])
    program = cache_folder().with_name(f"stripe-mock-{VERSION}") / "stripe-mock"
    # With what the module's own go.sum names, and without a question to anybody once it is there.
    _go(source, "build", "-mod=readonly", "-o", str(program), ".")
    return StripeMock(source, program)


@contextmanager
def running(program: Path, logs: Path) -> Iterator[str]:
    """The server's base URL, until the end of the block. Enter it outside of any event loop."""
    (port,) = free_ports(1)
    # HTTPS can't be switched off along with -http-addr, and would listen on a fixed port.
    addresses = ("-http-addr", f"{HOST}:{port}", "-https-addr", f"{HOST}:0")
    command = Command("stripe-mock", (str(program), *addresses))
    supervisor = Supervisor(logs)
    with asyncio.Runner() as runner:
        try:
            runner.run(supervisor.__aenter__())
            runner.run(supervisor.start([Program(command, ready=listens(port))]))
            yield f"http://{HOST}:{port}"
        finally:
            runner.run(supervisor.stop())


def _go(folder: Path, *arguments: str) -> str:
    """What Go answers in a folder."""
    go = shutil.which("go")
    if go is None:
        raise SandboxError("make contracts needs Go to build stripe-mock: no `go` is on the PATH")
    done = subprocess.run(  # noqa: S603 -- nothing but the constants above
        [go, *arguments],
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
    )
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip()
        raise DownloadError(f"`go {' '.join(arguments)}` says: {said}")
    return done.stdout
