"""``python -m sandbox``: one sandbox per folder, which leaves no process running."""

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sandbox.settings import SandboxSettings
from sandbox.supervision.ports import free_ports
from tests.sandbox.helpers import background, processes_with, wait_until


@pytest.fixture
def chosen(tmp_path: Path) -> dict[str, str]:
    """Variables with a folder and free ports."""
    variables = SandboxSettings().ports()
    ports = map(str, free_ports(len(variables)))
    folder = tmp_path / ".sandbox"
    return {"PAYMENTS_SANDBOX_DIRECTORY": str(folder), **dict(zip(variables, ports, strict=True))}


@contextmanager
def sandbox_up(chosen: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A running ``python -m sandbox up``, once everything is ready."""
    with background("-m", "sandbox", "up", **chosen) as process:
        assert process.stdout is not None
        output = []
        for line in process.stdout:
            output.append(line)
            if line.startswith("Ctrl-C stops"):
                break
        else:
            raise AssertionError(f"it did not start:\n{''.join(output)}")
        try:
            yield process
        finally:
            process.kill()


def command(name: str, chosen: dict[str, str]) -> tuple[int, str]:
    """Run a command to its end; returns its exit code and output."""
    with background("-m", "sandbox", name, **chosen) as process:
        output, _ = process.communicate(timeout=60)
        return process.returncode, output


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)])
def test_a_signal_ends_every_process(
    chosen: dict[str, str], number: signal.Signals, code: int
) -> None:
    """Ctrl-C ends with exit code 0, SIGTERM with the exit code that shells use."""
    with sandbox_up(chosen) as process:
        assert processes_with(chosen["PAYMENTS_SANDBOX_DIRECTORY"]) != []
        process.send_signal(number)
        assert process.wait(30) == code
    assert processes_with(chosen["PAYMENTS_SANDBOX_DIRECTORY"]) == []


def test_kill_9_ends_every_process_and_the_next_start_works(chosen: dict[str, str]) -> None:
    """No process survives the sandbox, and its files do not prevent the next start."""
    folder = chosen["PAYMENTS_SANDBOX_DIRECTORY"]
    with sandbox_up(chosen) as process:
        process.kill()
        process.wait(10)
    assert wait_until(lambda: processes_with(folder) == [])
    with sandbox_up(chosen) as process:
        assert process.poll() is None


def test_a_running_sandbox_excludes_others_and_reset(chosen: dict[str, str]) -> None:
    """A second start and a reset are refused with the first one's process ID."""
    with sandbox_up(chosen) as process:
        for name in ("up", "reset"):
            code, output = command(name, chosen)
            assert code == 1
            assert f"pid {process.pid}" in output
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        process.wait(30)
    assert command("reset", chosen)[0] == 0
    assert not Path(chosen["PAYMENTS_SANDBOX_DIRECTORY"]).exists()


def test_a_failure_is_one_line_without_a_traceback(chosen: dict[str, str]) -> None:
    """A wrong setting ends with 1, and the line names it."""
    code, output = command("up", {**chosen, "PAYMENTS_SANDBOX_KAFKA_PORT": "many"})
    assert code == 1
    assert "PAYMENTS_SANDBOX_KAFKA_PORT" in output
    assert "Traceback" not in output
