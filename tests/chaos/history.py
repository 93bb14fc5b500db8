"""A run's history: one JSON object per line, in order, each with its time.

Times are seconds since the run began, of one monotonic clock. The checks need only
the history, so a run can be checked again elsewhere and later.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Self

import msgspec


class Entry(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """An entry of the history; ``at`` is its time."""

    at: float = -1.0


class Invoked(Entry, frozen=True, kw_only=True, tag="invoke"):
    """A request or a webhook was sent; ``number`` is unique.

    ``key`` is equal for all its tries: the path and the idempotency key, or the event ID. ``via``
    is the link.
    """

    number: int
    operation: str
    key: str
    via: str


class Accepted(Entry, frozen=True, kw_only=True, tag="ok"):
    """It was accepted. The payment's ID and the event ID are from the response."""

    number: int
    payment_id: str | None = None
    event_id: str | None = None


class Refused(Entry, frozen=True, kw_only=True, tag="fail"):
    """It certainly had no effect: it was refused, or never sent."""

    number: int
    why: str


class Unknown(Entry, frozen=True, kw_only=True, tag="unknown"):
    """Its result is unknown: there was no response, or a server error."""

    number: int
    why: str


class Read(Entry, frozen=True, kw_only=True, tag="read"):
    """A payment was read through ``via``; ``requested_at`` is the time of the request."""

    requested_at: float
    via: str
    payment_id: str
    version: int
    status: str


class Published(Entry, frozen=True, kw_only=True, tag="state"):
    """The observer read a committed record of ``payment-state``."""

    partition: int
    offset: int
    payment_id: str
    version: int
    status: str


class Answered(Entry, frozen=True, kw_only=True, tag="answer"):
    """The observer read a committed record of ``payment-operations``."""

    operation_id: str
    status: str
    code: str | None


class AnswerRead(Entry, frozen=True, kw_only=True, tag="answer_read"):
    """At rest: the API's answer to an accepted command."""

    operation_id: str
    status: str
    code: str | None


class FaultBegan(Entry, frozen=True, kw_only=True, tag="fault_begin"):
    """A fault began."""

    number: int
    kind: str
    target: str


class FaultEnded(Entry, frozen=True, kw_only=True, tag="fault_end"):
    """A fault ended; ``effect`` describes its effect, and is empty if it had none."""

    number: int
    kind: str
    target: str
    effect: str


class Started(Entry, frozen=True, kw_only=True, tag="start"):
    """A process was started."""

    name: str
    pid: int


class Exited(Entry, frozen=True, kw_only=True, tag="exit"):
    """A process ended; as in ``subprocess``, a negative code is a signal's number."""

    name: str
    pid: int
    code: int


class Mark(Entry, frozen=True, kw_only=True, tag="mark"):
    """A phase of the run began."""

    name: str


class Outcome(Entry, frozen=True, kw_only=True, tag="outcome"):
    """At rest: the outcome that the service recorded for an input."""

    event_id: str
    payment_id: str | None
    kind: str
    outcome: str
    version: int | None = None


class Stored(Entry, frozen=True, kw_only=True, tag="payment"):
    """At rest: a stored payment."""

    payment_id: str
    version: int
    status: str


class Violation(Entry, frozen=True, kw_only=True, tag="violation"):
    """At rest: a violated invariant, or a difference from the oracle or the provider's objects."""

    code: str
    what: str


AnyEntry = (
    Invoked | Accepted | Refused | Unknown | Read | Published | Answered | AnswerRead | FaultBegan
    | FaultEnded | Started | Exited | Mark | Outcome | Stored | Violation
)  # fmt: skip
_ENCODE: Final = msgspec.json.Encoder().encode
_DECODE: Final = msgspec.json.Decoder(AnyEntry).decode


class History:
    """Writes a run's history, unbuffered."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb", buffering=0)
        self._began = time.monotonic()
        self._numbers = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._file.close()

    @property
    def now(self) -> float:
        """Seconds since the run began."""
        return round(time.monotonic() - self._began, 6)

    def number(self) -> int:
        """A new number for a request or a fault."""
        self._numbers += 1
        return self._numbers

    def record(self, entry: AnyEntry) -> None:
        """Writes an entry with the current time."""
        self._file.write(_ENCODE(msgspec.structs.replace(entry, at=self.now)) + b"\n")


def read(path: Path) -> Iterator[AnyEntry]:
    """Reads a history's entries in order. Raises msgspec.MsgspecError."""
    with path.open("rb") as file:
        for line in file:
            yield _DECODE(line)
