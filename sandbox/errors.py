"""What can go wrong in the sandbox.

SandboxError             one line for the user; says what to do
├── InvalidSettingError  a PAYMENTS_SANDBOX_ variable is unknown or its value invalid
├── PortTakenError       another process listens on a port that a program needs
├── StateInUseError      another sandbox uses this state folder
├── DownloadError        a file could not be fetched, or its checksum is wrong
└── ProgramError         a program died, ended with an error or was not ready in time
"""

from collections.abc import Sequence


class SandboxError(Exception):
    """A failure explained in one line, shown to the user without a traceback."""


class InvalidSettingError(SandboxError):
    """A ``PAYMENTS_SANDBOX_`` variable is unknown, or its value is invalid."""


class PortTakenError(SandboxError):
    """Another process listens on a port that a program needs."""


class StateInUseError(SandboxError):
    """Another sandbox is running on the same state folder."""


class DownloadError(SandboxError):
    """A file could not be fetched, or its checksum is wrong."""


class ProgramError(SandboxError):
    """A program died, ended with an error or was not ready in time.

    Args:
        name: the program's name.
        reason: what happened; completes a sentence that starts with the name.
        last_lines: the end of its log, oldest line first.
    """

    def __init__(self, name: str, reason: str, last_lines: Sequence[str] = ()) -> None:
        self.name = name
        self.reason = reason
        self.last_lines = tuple(last_lines)
        quoted = "".join(f"\n  | {line}" for line in self.last_lines)
        super().__init__(f"{name} {reason}{quoted}")
