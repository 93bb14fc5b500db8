"""Concurrent sessions do not affect each other."""

import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from tests.isolation.sessions import PROBES, ROOT, outcome, session
from tests.sandbox.helpers import wait_until

SESSIONS = 2
TAKES_PORTS = """
import sys
from sandbox.supervision.ports import free_ports
print(*free_ports(100), flush=True)
sys.stdin.read()
"""
PROCESSES = 8


def test_concurrent_processes_get_different_ports() -> None:
    """No two running processes get the same port, and no port is in the ephemeral range."""
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    with ExitStack() as stack:
        processes = [
            stack.enter_context(
                subprocess.Popen(  # noqa: S603 -- this interpreter
                    [sys.executable, "-c", TAKES_PORTS],
                    cwd=ROOT,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            for _ in range(PROCESSES)
        ]
        given: list[int] = []
        for process in processes:
            assert process.stdout is not None
            given += map(int, process.stdout.readline().split())
    assert len(given) == len(set(given)) == 100 * PROCESSES
    assert max(given) < lowest


def test_concurrent_sessions_have_their_own_servers(tmp_path: Path) -> None:
    """Each session starts, uses and stops its own broker and database."""
    with ExitStack() as stack:
        sessions = [
            stack.enter_context(session(tmp_path / str(n), f"{PROBES}::test_uses_servers"))
            for n in range(SESSIONS)
        ]
        for process in sessions:
            code, output = outcome(process)
            assert code == 0, output


def test_a_new_session_closes_no_folder_of_another() -> None:
    """Another user keeps access to the folder. A passed session removes its files."""
    with session(None, f"{PROBES}::test_others_may_enter") as process:
        code, output = outcome(process)
    assert code == 0, output
    (folder,) = (line.split()[-1] for line in output.splitlines() if "its folder was" in line)
    assert wait_until(lambda: not Path(folder).exists())
