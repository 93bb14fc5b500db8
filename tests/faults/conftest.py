"""The service with failpoints, on its own Kafka and Postgres."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.failpoints import VARIABLE, Trap
from tests.service.stack import PROGRAMS, QUICK, Stack, running_service

#: The programs; stream and worker start at entry points with failpoints.
PROGRAMS_WITH_FAILPOINTS = tuple(
    (name, (f"tests.faults.{name}",) if name in {"stream", "worker"} else arguments, path, port)
    for name, arguments, path, port in PROGRAMS
)
#: Even shorter: a silent worker is soon excluded, and a claimed call is soon due again.
QUICKER = {
    **QUICK,
    "PAYMENTS_SESSION_TIMEOUT_S": "2",
    "PAYMENTS_CALL_LEASE_S": "1",
    "PAYMENTS_SIMULATOR_SETTLEMENT_DELAY_S": "0.1",
}


@pytest.fixture(scope="package")
def traps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which faults are set."""
    return tmp_path_factory.mktemp("traps")


@pytest.fixture(autouse=True)
def unaffected(stack: Stack, traps: Path) -> None:
    """A failed test leaves neither a fault nor an ended program to the next one."""
    for name in ("stream", "worker"):
        Trap(traps, name).clear()
    for program in stack.programs.values():
        if not program.is_running:
            program.start()
        program.wait_until_ready()


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory, traps: Path) -> Iterator[Stack]:
    """The whole service."""
    root = tmp_path_factory.mktemp("faults")
    settings = {**QUICKER, VARIABLE: str(traps)}
    with running_service(root, PROGRAMS_WITH_FAILPOINTS, settings) as running:
        yield running
