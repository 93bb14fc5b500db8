"""A session with workers fails for what a worker leaves behind, like one without."""

from pathlib import Path

import pytest

from tests.isolation.sessions import PROBES, outcome, session
from tests.sandbox.helpers import processes_with


def test_a_program_that_a_worker_leaves_behind_fails_the_session(tmp_path: Path) -> None:
    """The program is named and killed."""
    folder = tmp_path / "inner"
    with session(folder, f"{PROBES}::test_leaves_a_program_running", "-n1") as process:
        code, output = outcome(process)
    assert code == 1
    assert "left running" in output
    assert str(folder) in output
    assert processes_with(str(folder)) == []


@pytest.mark.parametrize("workers", ["-n0", "-n1"])
def test_an_unclosed_object_fails_the_session(tmp_path: Path, workers: str) -> None:
    """It is found even if it is freed only at the session's end."""
    probe = f"{PROBES}::test_leaves_a_socket_open"
    with session(tmp_path / "inner", probe, workers) as process:
        code, output = outcome(process)
    assert code == 1
    assert "unclosed <socket" in output


def test_a_group_runs_in_one_worker(tmp_path: Path) -> None:
    """So a fixture that a group shares is made once."""
    arguments = ("tests/test_house.py", "-n2", "--no-loadscope-reorder", "-vv")
    with session(tmp_path / "inner", *arguments) as process:
        code, output = outcome(process)
    assert code == 0, output
    ran = [line for line in output.splitlines() if "PASSED" in line]
    assert len({line.partition("]")[0] for line in ran}) == 1, output


def test_a_session_with_workers_passes(tmp_path: Path) -> None:
    """It leaves no process running."""
    folder = tmp_path / "inner"
    with session(folder, f"{PROBES}::test_writes_a_file", "-n2") as process:
        code, output = outcome(process)
    assert code == 0, output
    assert processes_with(str(folder)) == []
