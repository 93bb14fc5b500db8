"""stripe-mock: Stripe's OpenAPI description, and a server that refuses what it doesn't allow."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sandbox.supervision.ports import HOST, free_ports
from sandbox.supervision.processes import Command
from sandbox.supervision.readiness import listens
from sandbox.supervision.supervisor import Program, Supervisor
from tests.golang import Module

MODULE: Final = Module(
    "github.com/stripe/stripe-mock",
    "v0.203.0",
    "h1:EzW7nb/fphqcAkgVRHAaC88OaAZo6SBWSl54cflDTio=",
)


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
    return StripeMock(MODULE.source(), MODULE.program("stripe-mock"))


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
