"""The time and memory of ``payments audit``, the command as an operator runs it."""

import json
import os
import sys
import time
from dataclasses import dataclass
from subprocess import PIPE, Popen
from typing import Final

import psutil  # type: ignore[import-untyped] # it ships no types

from bench.errors import BenchError
from bench.site import Site
from sandbox.topology import PROJECT

COMMAND: Final = (sys.executable, "-m", "cli", "audit", "--json")
#: The command's exit code where it finds violations.
VIOLATED: Final = 1
POLL_S: Final = 0.2


@dataclass(frozen=True, slots=True)
class Audited:
    """What an audit took, and what it found.

    ``peak_mib`` is of all its processes together. ``violations`` are by invariant.
    """

    seconds: float
    cpu_s: float
    peak_mib: float
    checked: int
    violations: dict[str, int]


def measure(site: Site) -> Audited:
    """Audits the site. Raises BenchError if the command fails."""
    begun, peak = time.monotonic(), 0.0
    with Popen(COMMAND, cwd=PROJECT, env=_environment(site), stdout=PIPE, text=True) as command:  # noqa: S603  # our own command
        process = psutil.Process(command.pid)
        cpu_s = 0.0
        while command.poll() is None:
            try:
                every = [process, *process.children(recursive=True)]
                peak = max(peak, sum(float(p.memory_info().rss) for p in every) / 2**20)
                cpu_s = max(cpu_s, sum(_used_s(p) for p in every))
            except psutil.NoSuchProcess:
                continue
            time.sleep(POLL_S)
        seconds = time.monotonic() - begun
        said = command.communicate()[0]
    if command.returncode not in (0, VIOLATED):
        raise BenchError(f"the audit ended with {command.returncode}")
    found = json.loads(said)
    violations = {code: each["violations"] for code, each in found.items() if each["violations"]}
    return Audited(seconds, cpu_s, peak, found["S5"]["checked"], violations)


def _environment(site: Site) -> dict[str, str]:
    others = {name: value for name, value in os.environ.items() if not name.startswith("PAYMENTS_")}
    return {**others, **site.environment, "TMPDIR": str(site.root)}


def _used_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
