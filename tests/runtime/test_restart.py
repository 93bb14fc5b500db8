"""A process that must be started again ends with the exit code that supervisors know."""

import subprocess
import sys

from runtime.restart import RESTART


def test_a_restart_ends_the_process_with_75() -> None:
    """Operators' supervisors are set up with this number."""
    program = "from runtime.restart import restart_process; restart_process()"
    ended = subprocess.run([sys.executable, "-c", program], check=False)  # noqa: S603
    assert ended.returncode == RESTART == 75
