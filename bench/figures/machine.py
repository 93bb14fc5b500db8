"""Describes the machine and the versions of a measurement, without which figures mean nothing."""

import os
import platform
import re
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import psutil  # type: ignore[import-untyped] # it ships no types

from sandbox.servers import jars, postgres
from sandbox.topology import PROJECT

#: The lock of the peer that has its own environment.
QUIX_LOCK: Final = PROJECT / "bench" / "peers" / "quix" / "requirements.lock"
PACKAGES: Final = ("faust-streaming", "aiokafka", "fastapi", "uvicorn", "psycopg")


def describe() -> dict[str, Any]:
    """Processor, memory, versions, commit, and the load before the run."""
    return {
        "cpu": _cpu_model(),
        "cpus": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "system": platform.platform(terse=True),
        "load_before": round(os.getloadavg()[0], 2),
        "versions": {
            "python": platform.python_version(),
            "kafka": jars.VERSION,
            "postgres": _postgres_version(),
            **{name: version(name) for name in PACKAGES},
            "quixstreams": _quix_version(),
        },
        "commit": _commit(),
    }


def _cpu_model() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def _postgres_version() -> str:
    program = postgres.installation() / "bin" / "postgres"
    return _output(str(program), "--version").split()[-1]


def _quix_version() -> str:
    found = re.search(r"^quixstreams==(\S+)", QUIX_LOCK.read_text(), re.MULTILINE)
    return found[1] if found else ""


def _commit() -> str:
    """The commit, followed by `+` if the measured code had changes (results do not count)."""
    changed = _output(
        "git", "status", "--porcelain", "--untracked-files=no", "--", ".", ":(exclude)bench/results"
    )
    return _output("git", "rev-parse", "--short=12", "HEAD") + ("+" if changed else "")


def _output(*command: str) -> str:
    """A program's output; empty if it is missing or fails."""
    try:
        done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)  # noqa: S603  # two constants
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()
