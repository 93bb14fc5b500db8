"""A session with workers ends as one without: what a worker leaves behind fails it."""

from pathlib import Path

import pytest

from tests.isolation.sessions import PROBES, outcome, session
from tests.sandbox.helpers import processes_with


def test_a_program_that_a_worker_leaves_behind_fails_the_session(tmp_path: Path) -> None:
    """It is named, and ended."""
    folder = tmp_path / "inner"
    with session(folder, f"{PROBES}::test_leaves_a_program_running", "-n1") as process:
        code, output = outcome(process)
    assert code == 1
    assert "left running" in output
    assert str(folder) in output
    assert processes_with(str(folder)) == []


@pytest.mark.parametrize("workers", ["-n0", "-n1"])
def test_what_nobody_closed_fails_the_session(tmp_path: Path, workers: str) -> None:
    """Also where only the session's end shows it."""
    probe = f"{PROBES}::test_leaves_a_socket_open"
    with session(tmp_path / "inner", probe, workers) as process:
        code, output = outcome(process)
    assert code == 1
    assert "unclosed <socket" in output


def test_a_group_runs_in_one_worker(tmp_path: Path) -> None:
    """Fixtures of a module, and services that several modules share, are made once."""
    arguments = ("tests/test_house.py", "-n2", "--no-loadscope-reorder", "-vv")
    with session(tmp_path / "inner", *arguments) as process:
        code, output = outcome(process)
    assert code == 0, output
    ran = [line for line in output.splitlines() if "PASSED" in line]
    assert len({line.partition("]")[0] for line in ran}) == 1, output


def test_a_session_with_workers_passes(tmp_path: Path) -> None:
    """And keeps no file."""
    folder = tmp_path / "inner"
    with session(folder, f"{PROBES}::test_writes_a_file", "-n2") as process:
        code, output = outcome(process)
    assert code == 0, output
    assert processes_with(str(folder)) == []
