"""Failpoints: named steps at which a test program fails, stops or dies.

A file names the fault: ``<failpoint> <action> <n>``, for the nth time. Just before the fault the
file is renamed durably: this proves that the failpoint was reached, and it is not reached again.
"""

import os
import signal
from enum import StrEnum
from pathlib import Path
from typing import Final

#: The variable that names the folder with each program's file.
VARIABLE: Final = "PAYMENTS_TEST_FAULTS"


class Failpoint(StrEnum):
    """A boundary between two steps of a batch, or of a provider call."""

    AFTER_DECODE = "after_decode"
    """A batch is decoded and its dead letters are sent; the dedup table was not read yet."""
    AFTER_LOAD = "after_load"
    """In the transaction, the payments' rows are locked and read; nothing is written."""
    BEFORE_COMMIT = "before_commit"
    """In the transaction, everything is written."""
    AFTER_COMMIT = "after_commit"
    """A transaction with new versions is committed; the worker has not continued yet."""
    BEFORE_PUBLISH = "before_publish"
    """The worker has loaded the new versions; none is sent."""
    IN_PUBLISH = "in_publish"
    """A partition's records are sent; their transaction at the brokers is open."""
    BETWEEN_PUBLISHES = "between_publishes"
    """One partition of a batch is published; others of the same batch perhaps are not."""
    AFTER_PUBLISH = "after_publish"
    """Every version is published; the publications are not marked."""
    BEFORE_DEDUP_ADD = "before_dedup_add"
    """The publications are marked; the dedup table lacks the batch's events."""
    BEFORE_ACK = "before_ack"
    """The table is written; nothing is acknowledged."""
    AFTER_ACK = "after_ack"
    """All is acknowledged; the offsets are not committed at the brokers."""

    AFTER_CLAIM = "after_claim"
    """Due calls are claimed; none is started."""
    BEFORE_CALL = "before_call"
    """A call is about to be made."""
    AFTER_CALL = "after_call"
    """The provider has executed the call; its response is not received."""
    BEFORE_RESULT = "before_result"
    """The response is received; the result is not published."""
    BEFORE_DONE = "before_done"
    """The result is published; the call's row is still due."""


class Action(StrEnum):
    """The fault."""

    RAISE = "raise"
    """An unforeseen exception."""
    KILL = "kill"
    """The process kills itself with SIGKILL."""
    STOP = "stop"
    """The process suspends itself until it is continued."""


class InjectedError(Exception):
    """An unforeseen error."""


class Trap:
    """The file with the fault. A test writes it; the program reads it at each failpoint."""

    def __init__(self, folder: Path, program: str) -> None:
        self._path = folder / program
        self._fired = folder / f"{program}.fired"
        self._passed = 0

    @classmethod
    def of_this_process(cls, program: str) -> "Trap":
        """Returns the trap in the folder that the environment names. Raises KeyError."""
        return cls(Path(os.environ[VARIABLE]), program)

    def set(self, place: Failpoint, action: Action, time: int = 1) -> None:
        """Sets the fault for the nth time (``time``) that the failpoint is reached from now on."""
        self._fired.unlink(missing_ok=True)
        scratch = self._path.with_suffix(".scratch")
        scratch.write_text(f"{place} {action} {time}")
        scratch.replace(self._path)

    def clear(self) -> None:
        """Removes the fault, if it has not happened."""
        self._path.unlink(missing_ok=True)

    @property
    def has_fired(self) -> bool:
        """Whether the fault has happened."""
        return self._fired.exists()

    def reach(self, here: Failpoint) -> None:
        """Called at each failpoint. Raises InjectedError, ends the process, stops it or returns."""
        try:
            place, action, time = self._path.read_text().split()
        except FileNotFoundError:
            return
        if place != here:
            return
        self._passed += 1
        if self._passed < int(time):
            return
        self._record_firing()
        match Action(action):
            case Action.RAISE:
                raise InjectedError(here)
            case Action.KILL:
                os.kill(os.getpid(), signal.SIGKILL)
            case Action.STOP:
                os.kill(os.getpid(), signal.SIGSTOP)

    def _record_firing(self) -> None:
        self._passed = 0
        self._path.replace(self._fired)
        folder = os.open(self._fired.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
