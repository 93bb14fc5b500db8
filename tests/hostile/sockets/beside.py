"""Measures a well-behaved client before an attack and beside it."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tests.hostile.sockets.server import ROOT, Server

QUIET_S: Final = 0.4
#: After an attack its connections are still being closed.
SETTLE_S: Final = 0.1
#: An attack goes on for so long, or as long as it needs.
ATTACK_S: Final = 0.8
#: Below this a difference says nothing, on a machine that does nothing else.
FLOOR_S: Final = 0.05
#: And one slow run says nothing.
ATTEMPTS: Final = 5


@dataclass(frozen=True)
class Measured:
    """99th percentiles in seconds."""

    quiet: float
    beside: float

    @property
    def unnoticed(self) -> bool:
        """Whether the client was served as if it were alone."""
        return self.beside <= max(3 * self.quiet, FLOOR_S * _competition())


def assert_unnoticed(server: Server, attack: Callable[[Server], None]) -> None:
    """A client that does well sees no failure beside the attack, and p99 within 3 times its own."""
    measured: list[Measured] = []
    while not (measured and measured[-1].unnoticed):
        assert len(measured) < ATTEMPTS, measured
        measured.append(_measure(server, attack))


def _measure(server: Server, attack: Callable[[Server], None]) -> Measured:
    command = (sys.executable, "-m", "tests.hostile.sockets.good_client", str(server.port))
    with subprocess.Popen(  # noqa: S603  # our own
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as client:
        assert client.stdout
        client.stdout.readline()
        time.sleep(QUIET_S)
        begin = time.monotonic()
        while time.monotonic() < begin + ATTACK_S:
            attack(server)
        end = time.monotonic()
        time.sleep(QUIET_S / 2)
        said = json.loads(client.communicate(timeout=30)[0])
    assert not said["failures"], said["failures"][:3]
    quiet = [took for at, took in said["took"] if at + took < begin or at > end + SETTLE_S]
    beside = [took for at, took in said["took"] if at + took >= begin and at < end]
    assert len(quiet) > 20
    assert beside, "not one answer beside the attack"
    return Measured(_p99(quiet), _p99(beside))


def _competition() -> float:
    """How many programs want each processor, at least one."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def _p99(times: list[float]) -> float:
    return sorted(times)[int(len(times) * 0.99)]
