"""After a minute of all faults, from a fixed seed, nothing is lost or wrong."""

import asyncio
from pathlib import Path

import pytest

from tests.chaos import bug_runs
from tests.chaos.judging.check import check
from tests.chaos.judging.summary import lines
from tests.chaos.run import RunConfig, run_chaos

SEED = 20_260_101
SECONDS = 60.0
RATE = 4.0


@pytest.mark.usefixtures("toxiproxy_is_built")
def test_a_minute_of_chaos_violates_nothing(tmp_path: Path) -> None:
    """Brokers, Postgres, workers and links fail. A minute later the service is at rest."""
    config = RunConfig(SECONDS, SEED, RATE)
    history = asyncio.run(run_chaos(config, tmp_path))
    found = check(history)
    assert not any(found.values()), "\n".join(lines(history, SEED, found))


@pytest.mark.usefixtures("toxiproxy_is_built")
@pytest.mark.parametrize("bug", bug_runs.BUG_RUNS)
def test_a_planted_bug_is_found(tmp_path: Path, bug: str) -> None:
    """A short run with the faults that lead to the bug reports it."""
    config = bug_runs.config(bug)
    history = asyncio.run(run_chaos(config, tmp_path))
    assert bug_runs.is_found(bug, history), f"{bug} was not found: {check(history)}"
