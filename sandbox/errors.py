"""What can go wrong in the sandbox.

SandboxError             one line for the person at the keyboard; says what to do
├── InvalidSettingError  a PAYMENTS_SANDBOX_ variable has no meaning
├── PortTakenError       another process listens where one of ours should
├── StateInUseError      another sandbox holds this state folder
├── DownloadError        a file the sandbox needs could not be fetched, or is not what it should be
└── ProgramError         a program died, ended with an error or was not ready in time
"""

from collections.abc import Sequence


class SandboxError(Exception):
    """A failure explained in one line, fit to be shown without a traceback."""


class InvalidSettingError(SandboxError):
    """A `PAYMENTS_SANDBOX_` variable has no meaning."""


class PortTakenError(SandboxError):
    """A port that one of our programs needs is held by another process."""


class StateInUseError(SandboxError):
    """Another sandbox is running on the same state folder."""


class DownloadError(SandboxError):
    """A file could not be fetched, or what came is not what was asked for."""


class ProgramError(SandboxError):
    """A program died, ended with an error or was not ready in time.

    Args:
        name: the program's name.
        reason: what happened to it, as the end of a sentence that starts with its name.
        last_lines: the end of its log, oldest line first.
    """

    def __init__(self, name: str, reason: str, last_lines: Sequence[str] = ()) -> None:
        self.name = name
        self.reason = reason
        self.last_lines = tuple(last_lines)
        quoted = "".join(f"\n  | {line}" for line in self.last_lines)
        super().__init__(f"{name} {reason}{quoted}")
