"""Measures what an attack does to a well-behaved client: latencies before, during and after it."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sandbox.topology import PROJECT
from tests.hostile.sockets.server import Server

QUIET_S: Final = 0.4
#: The server is still closing the attack's connections for this long.
SETTLE_S: Final = 0.1
#: The attack is repeated until this time has passed.
ATTACK_S: Final = 0.8
#: Times below this always pass; on a busy machine the value is scaled by the load.
FLOOR_S: Final = 0.05
#: One slow run is not a failure.
ATTEMPTS: Final = 5


@dataclass(frozen=True)
class Measured:
    """99th percentiles in seconds."""

    quiet: float
    attacked: float

    @property
    def within_limit(self) -> bool:
        """Whether the latency during the attack is at most three times the quiet one."""
        return self.attacked <= max(3 * self.quiet, FLOOR_S * _load_per_processor())


def assert_no_impact(server: Server, attack: Callable[[Server], None]) -> None:
    """During the attack, a good client sees no failure, and its p99 is at most tripled."""
    measured: list[Measured] = []
    while not (measured and measured[-1].within_limit):
        assert len(measured) < ATTEMPTS, measured
        measured.append(_measure(server, attack))


def _measure(server: Server, attack: Callable[[Server], None]) -> Measured:
    command = (sys.executable, "-m", "tests.hostile.sockets.good_client", str(server.port))
    with subprocess.Popen(  # noqa: S603  # our own
        command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as client:
        assert client.stdout
        client.stdout.readline()
        time.sleep(QUIET_S)
        begin = time.monotonic()
        while time.monotonic() < begin + ATTACK_S:
            attack(server)
        end = time.monotonic()
        time.sleep(QUIET_S / 2)
        report = json.loads(client.communicate(timeout=30)[0])
    assert not report["failures"], report["failures"][:3]
    quiet = [took for at, took in report["took"] if at + took < begin or at > end + SETTLE_S]
    attacked = [took for at, took in report["took"] if at + took >= begin and at < end]
    assert len(quiet) > 20
    assert attacked, "no response during the attack"
    return Measured(_p99(quiet), _p99(attacked))


def _load_per_processor() -> float:
    """Returns the load average per processor, at least 1."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def _p99(times: list[float]) -> float:
    return sorted(times)[int(len(times) * 0.99)]
