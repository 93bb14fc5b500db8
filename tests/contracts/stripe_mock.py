"""stripe-mock: Stripe's OpenAPI description and a server that validates requests against it."""

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
    """The paths of its source and its program, both outside the project."""

    source: Path
    program: Path

    @property
    def openapi(self) -> Path:
        """The folder with the description, spec3.json, and examples of objects, fixtures3.json."""
        return self.source / "embedded" / "openapi"


def installed() -> StripeMock:
    """Returns the pinned version; downloads and builds it if necessary.

    Raises:
        SandboxError: Go is not installed.
        DownloadError: the download failed or doesn't match the pinned checksum.
    """
    return StripeMock(MODULE.source(), MODULE.program("stripe-mock"))


@contextmanager
def running(program: Path, logs: Path) -> Iterator[str]:
    """Runs the server during the block and yields its base URL. Enter it outside any event loop."""
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
