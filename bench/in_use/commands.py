"""The time and memory of an operator's command, run as an operator does."""

import json
import os
import sys
import time
from dataclasses import dataclass
from subprocess import PIPE, Popen
from typing import Final

import psutil  # type: ignore[import-untyped] # it ships no types

from bench.errors import BenchError
from bench.programs import used_s
from bench.site import Site
from sandbox.topology import PROJECT

#: The exit code of a command that found something.
FOUND: Final = 1
POLL_S: Final = 0.2


@dataclass(frozen=True, slots=True)
class Ended:
    """What a command took, and its standard output. ``peak_mib`` is of all its processes."""

    code: int
    seconds: float
    cpu_s: float
    peak_mib: float
    output: str


def run(site: Site, *arguments: str) -> Ended:
    """Runs ``payments`` with these arguments. Raises BenchError if it could not do its work."""
    begun, peak, cpu_s = time.monotonic(), 0.0, 0.0
    argv = (sys.executable, "-m", "cli", *arguments)
    with Popen(argv, cwd=PROJECT, env=_environment(site), stdout=PIPE, text=True) as command:  # noqa: S603  # our own command
        process = psutil.Process(command.pid)
        while command.poll() is None:
            try:
                every = [process, *process.children(recursive=True)]
                peak = max(peak, sum(float(p.memory_info().rss) for p in every) / 2**20)
                cpu_s = max(cpu_s, sum(used_s(p) for p in every))
            except psutil.NoSuchProcess:
                continue
            time.sleep(POLL_S)
        seconds = time.monotonic() - begun
        output = command.communicate()[0]
    if command.returncode not in (0, FOUND):
        raise BenchError(f"payments {' '.join(arguments)} ended with {command.returncode}")
    return Ended(command.returncode, seconds, cpu_s, peak, output)


@dataclass(frozen=True, slots=True)
class Audited:
    """An audit: what it took, how many payments it checked, and its violations by invariant."""

    ended: Ended
    payments: int
    violations: dict[str, int]


def audit(site: Site) -> Audited:
    """Audits the site. Raises BenchError."""
    ended = run(site, "audit", "--json")
    found = json.loads(ended.output)
    violations = {code: each["violations"] for code, each in found.items() if each["violations"]}
    return Audited(ended, found["S5"]["checked"], violations)


def _environment(site: Site) -> dict[str, str]:
    others = {name: value for name, value in os.environ.items() if not name.startswith("PAYMENTS_")}
    return {**others, **site.environment, "TMPDIR": str(site.root)}
