"""Tests side by side, in pytest-xdist's workers: what runs in one worker, and in which order.

Without workers nothing here has an effect.
"""

import gc
import sys
from typing import Any, Final

import pytest

#: Folders whose tests share what takes long to make, such as a running service, by the fixture that
#: makes it: a service for each worker would cost more than it saves.
SHARED: Final = {
    "tests/service": "stack",
    "tests/conformance": "kind",
    "tests/messaging": "broker",
    "tests/hostile": "service",
    "tests/checker": "searched",
    "tests/simulator": "simulator",
    "tests/providers/stripe": "shared_provider",
}
#: Tests with this fixture read and write the same topics of the shared broker.
BROKER: Final = "kafka_bootstrap"
#: What takes longest begins first, so that no worker is alone with it in the end. Paths and groups.
LONGEST_FIRST: Final = (
    "broker",
    "tests/service",
    "tests/faults/test_matrix.py",
    "tests/faults/test_zombies.py",
    "tests/hostile",
    "tests/mutants/test_mutants.py",
    "tests/simulation/test_simulation.py",
    "tests/sandbox",
    "tests/isolation",
    "tests/messaging",
    "tests/conformance",
    "tests/ingress",
)
_LEFT_OPEN: Final = "left_open"
_LEFT_RUNNING: Final = "left_running"


def is_worker(config: pytest.Config) -> bool:
    """Whether this process runs tests for another one, which reports them."""
    return hasattr(config, "workerinput")


def has_workers(config: pytest.Config) -> bool:
    """Whether this process has others that run its tests."""
    return bool(config.getoption("numprocesses", None)) and not is_worker(config)


def needs_servers(item: pytest.Item) -> bool:
    """Whether the test can't run without Kafka and Postgres."""
    return "infrastructure" in getattr(item, "fixturenames", ())


def arrange(items: list[pytest.Item]) -> None:
    """Give each test its group, which one worker runs, and put the longest groups first."""
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_group(item)))
    items.sort(key=_place)


def report(config: pytest.Config, left_running: list[str]) -> None:
    """Send what this worker leaves behind to the process that reports."""
    output: dict[str, Any] = config.workeroutput  # type: ignore[attr-defined] # xdist sets it
    output[_LEFT_RUNNING] = left_running
    output[_LEFT_OPEN] = _left_open()


def reported(output: dict[str, Any]) -> list[str]:
    """What a worker left behind, one line each; an empty list where it left nothing."""
    running = [f"left running: {line}" for line in output.get(_LEFT_RUNNING, ())]
    return running + [f"left open: {line}" for line in output.get(_LEFT_OPEN, ())]


def _group(item: pytest.Item) -> str:
    path = item.nodeid.partition("::")[0]
    fixtures = getattr(item, "fixturenames", ())
    for folder, fixture in SHARED.items():
        if path.startswith(f"{folder}/") and fixture in fixtures:
            return folder
    return "broker" if BROKER in fixtures else path


def _place(item: pytest.Item) -> int:
    group = _group(item)
    for place, start in enumerate(LONGEST_FIRST):
        if group.startswith(start):
            return place
    return len(LONGEST_FIRST)


def _left_open() -> list[str]:
    """What warns that nobody closed it. A worker's own report of it would come too late."""
    found: list[str] = []
    before = sys.unraisablehook
    sys.unraisablehook = lambda unraisable: found.append(repr(unraisable.exc_value))
    try:
        for _ in range(5):  # an object's end may be the end of another
            gc.collect()
    finally:
        sys.unraisablehook = before
    return found
