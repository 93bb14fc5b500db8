"""The places where a process can be made to fail, and how. Only test programs know them.

A file says what is to happen: ``<failpoint> <action> <the how manyth time>``. Just before it
happens the file is renamed, durably: that proves that the place was met, and nothing happens there
again.
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
    """A batch is decoded and its dead letters are sent; the table was not asked yet."""
    AFTER_LOAD = "after_load"
    """In the transaction, the payments' rows are locked and read; nothing is written."""
    BEFORE_COMMIT = "before_commit"
    """In the transaction, everything is written."""
    AFTER_COMMIT = "after_commit"
    """A transaction with new versions is committed; the worker was not told what to publish."""
    BEFORE_PUBLISH = "before_publish"
    """The worker has the new versions in its hands; none is sent."""
    IN_PUBLISH = "in_publish"
    """A partition's records are sent; their transaction at the brokers is open."""
    BETWEEN_PUBLISHES = "between_publishes"
    """One partition of a batch is published; others of the same batch perhaps are not."""
    AFTER_PUBLISH = "after_publish"
    """Every version is published; the publications are not marked."""
    BEFORE_DEDUP_ADD = "before_dedup_add"
    """The publications are marked; the table does not know the batch's events."""
    BEFORE_ACK = "before_ack"
    """The table is written; nothing is acknowledged."""
    AFTER_ACK = "after_ack"
    """All is acknowledged; the offsets are not committed at the brokers."""

    AFTER_CLAIM = "after_claim"
    """Due calls are claimed; none is under way."""
    BEFORE_CALL = "before_call"
    """A call is about to be made."""
    AFTER_CALL = "after_call"
    """The provider has executed the call; nobody here knows its answer."""
    BEFORE_RESULT = "before_result"
    """The answer is known; the result is not published."""
    BEFORE_DONE = "before_done"
    """The result is published; the call's row still says that it is due."""


class Action(StrEnum):
    """What happens there."""

    RAISE = "raise"
    """An exception that no code expects."""
    KILL = "kill"
    """Kill -9 of the process, by itself."""
    STOP = "stop"
    """The process stops itself, as if its machine were suspended, until it is continued."""


class InjectedError(Exception):
    """An error of a kind that no code knows."""


class Trap:
    """The file, from both sides: a test sets it, a process of this program steps into it."""

    def __init__(self, folder: Path, program: str) -> None:
        self._path = folder / program
        self._met = folder / f"{program}.met"
        self._passed = 0

    @classmethod
    def of_this_process(cls, program: str) -> "Trap":
        """The one in the folder that the environment names. Raises KeyError without it."""
        return cls(Path(os.environ[VARIABLE]), program)

    def set(self, place: Failpoint, action: Action, time: int = 1) -> None:
        """A process that comes there for the first time from now on, or the second, meets it."""
        self._met.unlink(missing_ok=True)
        scratch = self._path.with_suffix(".scratch")
        scratch.write_text(f"{place} {action} {time}")
        scratch.replace(self._path)

    @property
    def is_met(self) -> bool:
        """Whether it has happened."""
        return self._met.exists()

    def strike(self, here: Failpoint) -> None:
        """A process is here. Raises InjectedError, ends the process, stops it, or does nothing."""
        try:
            place, action, time = self._path.read_text().split()
        except FileNotFoundError:
            return
        if place != here:
            return
        self._passed += 1
        if self._passed < int(time):
            return
        self._note()
        match Action(action):
            case Action.RAISE:
                raise InjectedError(here)
            case Action.KILL:
                os.kill(os.getpid(), signal.SIGKILL)
            case Action.STOP:
                os.kill(os.getpid(), signal.SIGSTOP)

    def _note(self) -> None:
        self._passed = 0
        self._path.replace(self._met)
        folder = os.open(self._met.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
