"""A temporary copy of the project, in which bugs are planted one at a time."""

import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sandbox.testing import Infrastructure
from tests.isolation.environment import SERVERS
from tests.mutants.planted import ROOT, Bug

WITHIN_S: Final = 120.0
_NOT_COPIED: Final = shutil.ignore_patterns("__pycache__", ".*")
_FOUND: Final = re.compile(r"^(?:FAILED|ERROR) (tests/.+?)(?: - .*)?$", re.MULTILINE)
#: pytest's exit codes: all passed, some failed, the collection was interrupted by an error.
_PASSED, _FAILED, _INTERRUPTED = 0, 1, 2


class NoTrialError(Exception):
    """pytest ran no test, or failed for a reason unrelated to the bug."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The test that found a bug, None if it survived; and the duration in seconds."""

    found_by: str | None
    seconds: float


@dataclass
class Workspace:
    """One copy, for one trial at a time.

    Args:
        folder: the copy's folder, which must not exist yet.
        servers: a broker and a database for tests that need them.
    """

    folder: Path
    servers: Infrastructure | None = None
    _edits: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        shutil.copytree(ROOT, self.folder, ignore=_NOT_COPIED)

    def trial(self, bug: Bug) -> Verdict:
        """Plant a bug, run its tests, and remove it.

        Raises:
            MisplacedError: its source text was not found.
            NoTrialError: its tests could not be run.
        """
        source = (self.folder / bug.path).read_text()
        self._write(bug.path, bug.planted(source))
        try:
            return self.run(bug.tests)
        finally:
            self._write(bug.path, source)

    def run(self, tests: tuple[str, ...]) -> Verdict:
        """Run tests until one fails; a hang counts as a failure. Raises NoTrialError."""
        began = time.monotonic()
        process = subprocess.Popen(  # noqa: S603 -- pytest with tests of the table
            [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests],
            cwd=self.folder,
            env={**os.environ, **self._environment()},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        with process:
            try:
                output, _ = process.communicate(timeout=WITHIN_S)
                found = _found(process.returncode, output)
            except subprocess.TimeoutExpired:
                process.kill()  # its supervising process ends its children
                found = f"a hang of {WITHIN_S:g} s"
        return Verdict(found, time.monotonic() - began)

    def _environment(self) -> dict[str, str]:
        if self.servers is None:
            return {}
        return {SERVERS: f"{self.servers.kafka_bootstrap} {self.servers.database_url}"}

    def _write(self, path: Path, text: str) -> None:
        """Write a module with a unique modification time, so no stale compiled file is used."""
        file = self.folder / path
        file.write_text(text)
        self._edits += 1
        os.utime(file, (0, self._edits))


def _found(code: int, output: str) -> str | None:
    if code == _PASSED:
        return None
    name = _FOUND.search(output)
    if name is None and "PytestUnraisableExceptionWarning" in output:
        return "an unclosed resource at the end"
    if code not in {_FAILED, _INTERRUPTED} or name is None:
        raise NoTrialError(output[-4000:])
    return name[1]
