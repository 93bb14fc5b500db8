"""Distributes tests among pytest-xdist's workers: groups per worker, and their order.

Without workers nothing here has an effect.
"""

import gc
import sys
from typing import Any, Final

import pytest
from xdist.scheduler import LoadScopeScheduling

#: Groups, by the beginning of the tests' paths. One worker runs a group, because its tests share
#: an expensive fixture. The group "broker" uses the same topics of the shared Kafka.
GROUPS: Final = {
    "tests/bench/": "tests/bench",
    "tests/ingress/": "broker",
    "tests/processor/messaging/": "broker",
    "tests/processor/ops/": "broker",
    "tests/processor/stream/": "broker",
    "tests/processor/worker/": "broker",
    "tests/service/": "tests/service",
    "tests/cases/": "tests/cases",
    "tests/conformance/": "tests/conformance",
    "tests/messaging/": "tests/messaging",
    "tests/hostile/test_": "tests/hostile",
    "tests/checker/": "tests/checker",
    "tests/simulator/": "tests/simulator",
    "tests/providers/stripe/": "tests/providers/stripe",
}
#: Groups and paths, longest first, so that no worker ends long after the others.
LONGEST_FIRST: Final = (
    "tests/service",
    "tests/bench",
    "broker",
    "tests/cases",
    "tests/faults/test_matrix.py",
    "tests/faults/test_zombies.py",
    "tests/hostile",
    "tests/checker",
    "tests/mutants/test_mutants.py",
    "tests/simulation/test_simulation.py",
    "tests/sandbox",
    "tests/isolation",
    "tests/messaging",
    "tests/conformance",
    "tests/simulator",
    "tests/domain/test_any_order.py",
    "tests/domain/test_histories.py",
    "tests/providers/stripe",
)
_LEFT_OPEN: Final = "left_open"
_LEFT_RUNNING: Final = "left_running"


def is_worker(config: pytest.Config) -> bool:
    """Whether this process is a worker of another one."""
    return hasattr(config, "workerinput")


def has_workers(config: pytest.Config) -> bool:
    """Whether this process has workers."""
    return bool(config.getoption("numprocesses", None)) and not is_worker(config)


def needs_servers(item: pytest.Item) -> bool:
    """Whether the test can't run without Kafka and Postgres."""
    return "infrastructure" in getattr(item, "fixturenames", ())


class Scheduler(LoadScopeScheduling):  # type: ignore[misc] # it has no types
    """Runs each group in one worker. A file without a group is its own group."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


def arrange(items: list[pytest.Item]) -> None:
    """Put the longest groups first."""
    items.sort(key=_place)


def group_of(nodeid: str) -> str:
    """A test's group; its file if there is no other."""
    for start, group in GROUPS.items():
        if nodeid.startswith(start):
            return group
    return nodeid.partition("::")[0]


def report(config: pytest.Config, left_running: list[str]) -> None:
    """Send what this worker left behind to its parent."""
    output: dict[str, Any] = config.workeroutput  # type: ignore[attr-defined] # xdist sets it
    output[_LEFT_RUNNING] = left_running
    output[_LEFT_OPEN] = _left_open()


def reported(output: dict[str, Any]) -> list[str]:
    """What a worker left behind, one line each."""
    running = [f"left running: {line}" for line in output.get(_LEFT_RUNNING, ())]
    return running + [f"left open: {line}" for line in output.get(_LEFT_OPEN, ())]


def _place(item: pytest.Item) -> int:
    group = group_of(item.nodeid)
    for place, start in enumerate(LONGEST_FIRST):
        if group.startswith(start):
            return place
    return len(LONGEST_FIRST)


def _left_open() -> list[str]:
    """The warnings of unclosed objects. A worker's own report would come too late."""
    found: list[str] = []
    before = sys.unraisablehook
    sys.unraisablehook = lambda unraisable: found.append(repr(unraisable.exc_value))
    try:
        for _ in range(5):  # freeing one object may free another
            gc.collect()
    finally:
        sys.unraisablehook = before
    return found
