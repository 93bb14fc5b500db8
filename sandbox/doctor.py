"""Checks that this machine has what the sandbox needs, and says how to fix what is missing."""

import platform
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import psutil  # type: ignore[import-untyped] # it ships no types
from rich.console import Console

from sandbox.errors import SandboxError
from sandbox.servers import jars, postgres
from sandbox.servers.java import default_java
from sandbox.settings import SandboxSettings
from sandbox.supervision.ports import require_free
from sandbox.supervision.privileges import unprivileged_user

SYSTEMS: Final = ("Linux", "Darwin")
PYTHON: Final = (3, 11)
MEMORY_BYTES: Final = 2 << 30
DISK_BYTES: Final = 2 << 30

Check = Callable[[SandboxSettings], str]
"""One check: returns what it found, or raises SandboxError when that is not sufficient."""


def _python(_settings: SandboxSettings) -> str:
    if sys.version_info < PYTHON:
        raise SandboxError(f"Python {platform.python_version()} is too old: use 3.11 or newer")
    return platform.python_version()


def _system(_settings: SandboxSettings) -> str:
    if platform.system() not in SYSTEMS:
        raise SandboxError(f"{platform.system()} is not supported: use Linux, macOS or WSL 2")
    return f"{platform.system()} {platform.machine()}"


def _memory(_settings: SandboxSettings) -> str:
    available = int(psutil.virtual_memory().available)
    if available < MEMORY_BYTES:
        raise SandboxError(f"{available >> 20} MB are free: the sandbox needs {MEMORY_BYTES >> 20}")
    return f"{available >> 20} MB free"


def _disk(settings: SandboxSettings) -> str:
    folder = settings.directory.resolve()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if free < DISK_BYTES:
        raise SandboxError(f"{free >> 20} MB are free in {folder}: make room for 2 GB")
    return f"{free >> 20} MB free in {folder}"


def _kafka(_settings: SandboxSettings) -> str:
    folder = jars.cache_folder()
    absent = jars.missing(folder)
    if absent:
        size = sum(jar.size for jar in absent) >> 20
        return f"{len(absent)} jars ({size} MB) will be downloaded to {folder} at the first start"
    quick = "with" if default_java(folder).cache.exists() else "without"
    return f"{jars.VERSION} in {folder}, {quick} its start-up cache"


def _postgres(_settings: SandboxSettings) -> str:
    user = unprivileged_user()
    return f"{postgres.installation()}" + (f", run as uid {user.uid}" if user else "")


def _ports(settings: SandboxSettings) -> str:
    require_free(settings.ports())
    return f"{', '.join(str(port) for port in settings.ports().values())} are free"


def _state(settings: SandboxSettings) -> str:
    folder = settings.directory.resolve()
    return f"{folder}{'' if Path(folder).exists() else ' (not made yet)'}"


CHECKS: Final[dict[str, Check]] = {
    "Python": _python,
    "system": _system,
    "memory": _memory,
    "disk": _disk,
    "Kafka": _kafka,
    "PostgreSQL": _postgres,
    "ports": _ports,
    "state": _state,
}


def examine(settings: SandboxSettings, console: Console) -> bool:
    """Run every check and print its finding; return whether all passed."""
    good = True
    for name, check in CHECKS.items():
        try:
            mark, found = "[green]ok[/] ", check(settings)
        except SandboxError as error:
            mark, found, good = "[red]bad[/]", str(error), False
        console.print(f"{mark} {name:<11}", end="", highlight=False)
        console.print(found, highlight=False, markup=False, soft_wrap=True)
    return good
