"""A test session leaves no program running, however it ends."""

import signal
from pathlib import Path

import pytest

from tests.isolation.sessions import PROBES, outcome, session, until_up
from tests.sandbox.helpers import processes_with, wait_until

ENDED = (
    (signal.SIGTERM, "test_hangs_with_servers"),
    (signal.SIGKILL, "test_hangs_with_servers"),
    (signal.SIGINT, "test_hangs_with_programs"),
    (signal.SIGHUP, "test_hangs_with_programs"),
    (signal.SIGTERM, "test_hangs_with_programs"),
)


@pytest.mark.parametrize(("number", "probe"), ENDED)
def test_a_signal_ends_every_program(tmp_path: Path, number: signal.Signals, probe: str) -> None:
    """Servers, programs and their children end, also those in other process sessions."""
    folder = tmp_path / "inner"
    with session(folder, f"{PROBES}::{probe}") as process:
        until_up(process)
        assert wait_until(lambda: len(processes_with(str(folder))) > 2)
        process.send_signal(number)
        process.wait(60)
    assert wait_until(lambda: processes_with(str(folder)) == [])


def test_a_test_that_leaves_a_program_behind_fails_the_session(tmp_path: Path) -> None:
    """The program is named and killed."""
    folder = tmp_path / "inner"
    with session(folder, f"{PROBES}::test_leaves_a_program_running") as process:
        code, output = outcome(process)
    assert code == 1
    assert "left running" in output
    assert str(folder) in output
    assert processes_with(str(folder)) == []
