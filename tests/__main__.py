"""Runs every test: ``python -m tests [pytest's options]``.

Most tests run in parallel, on one Kafka and one Postgres. The attacks run next. The tests that
compare durations run last, one at a time. The last line is a summary. The exit code is 0 only if
every test passed. If paths are given, plain pytest runs only these tests.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

import pytest

from tests.isolation.isolated import isolated
from tests.support.properties import EXAMPLES

ATTACKS: Final = "tests/hostile"
#: More workers than processors, because tests mostly wait.
WORKERS: Final = 3
#: The tests that need no server. They take seconds.
FAST: Final = (
    "--no-servers",
    "tests/domain",
    "tests/checker",
    "tests/simulation/test_simulation.py::test_seeds_that_once_found_a_bug_find_none",
    "tests/simulator",
    "tests/schemas",
    "tests/compatibility",
    "tests/runtime",
    "tests/ports",
    "tests/processor/decisions",
    "tests/test_house.py",
)
#: Examples of a property in that run.
FEW: Final = "25"
COUNTED: Final = ("tests", "failures", "errors", "skipped")
#: What one of them is called.
ONE: Final = {"failures": "failure", "errors": "error"}
_NO_TESTS: Final = pytest.ExitCode.NO_TESTS_COLLECTED


@dataclass(frozen=True, slots=True)
class Part:
    """Some of the tests: their title and pytest's arguments."""

    name: str
    arguments: tuple[str, ...]


def side_by_side(workers: int) -> tuple[str, ...]:
    """Pytest's options for this many workers; see ``tests.isolation.side_by_side``."""
    return (f"-n{workers}", "--no-loadscope-reorder")


PARTS: Final = (
    Part("tests", (*side_by_side(WORKERS), "--share-servers", f"--ignore={ATTACKS}")),
    Part("attacks", (*side_by_side(WORKERS), "--share-servers", "-mnot alone", ATTACKS)),
    Part("comparisons of times", ("-malone", ATTACKS)),
)
QUICK: Final = (Part("tests that need no server", (*side_by_side(2), *FAST)),)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs every part, also after a failed one, and prints a summary. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests", description=__doc__, add_help=False)
    parser.add_argument("--fast", action="store_true", help="run only what needs no server")
    parser.add_argument("--junitxml", type=Path, help="write one report of all parts to this file")
    options, given = parser.parse_known_args(arguments)
    if options.fast:
        os.environ.setdefault(EXAMPLES, FEW)
    began = time.monotonic()
    with isolated(), tempfile.TemporaryDirectory(prefix="payments-reports-") as folder:
        parts = QUICK if options.fast else PARTS
        if any(Path(argument.partition("::")[0]).exists() for argument in given):
            parts = (Part("the named tests", ()),)
        reports = [Path(folder) / f"{number}.xml" for number, _ in enumerate(parts)]
        codes = [_run(part, given, report) for part, report in zip(parts, reports, strict=True)]
        report = merged([report for report in reports if report.exists()])
        if options.junitxml:
            report.write(options.junitxml, encoding="utf-8", xml_declaration=True)
    failed = [code for code in codes if code not in {pytest.ExitCode.OK, _NO_TESTS}]
    code = failed[0] if failed else min(codes)  # no test at all is a failure too
    sys.stdout.write(f"{summary(report, codes, time.monotonic() - began)}\n")
    return code


def merged(reports: Sequence[Path]) -> "ET.ElementTree[ET.Element]":
    """Merges JUnit reports into one."""
    root = ET.Element("testsuites")
    for report in reports:
        root.extend(ET.parse(report).getroot())  # noqa: S314 -- pytest has just written it
    return ET.ElementTree(root)


def summary(report: "ET.ElementTree[ET.Element]", codes: Sequence[int], seconds: float) -> str:
    """Returns the results of all parts as one line."""
    suites = list(report.getroot())
    counts = {name: sum(int(suite.get(name, 0)) for suite in suites) for name in COUNTED}
    passed = counts.pop("tests") - sum(counts.values())
    words = [
        f"{passed} passed",
        *(f"{n} {ONE.get(name, name) if n == 1 else name}" for name, n in counts.items() if n),
    ]
    if any(code not in {pytest.ExitCode.OK, _NO_TESTS} for code in codes):
        words.insert(0, "FAILED")
    minutes, rest = divmod(round(seconds), 60)
    return f"all parts: {', '.join(words)} in {minutes} min {rest} s"


def _run(part: Part, given: Sequence[str], report: Path) -> int:
    sys.stdout.write(f"== {part.name}\n")
    sys.stdout.flush()
    command = [sys.executable, "-m", "pytest", *part.arguments, f"--junitxml={report}", *given]
    return subprocess.run(command, check=False).returncode  # noqa: S603 -- pytest


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
