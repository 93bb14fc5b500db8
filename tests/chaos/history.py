"""What happened in a run, in order: one JSON object a line, each with its time.

Times are seconds since the run began, of one monotonic clock. What a run is judged by is all in
here, so that it can be judged again, elsewhere and later.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Self

import msgspec


class Entry(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """Something that happened; ``at`` is when."""

    at: float = -1.0


class Invoked(Entry, frozen=True, kw_only=True, tag="invoke"):
    """A request is sent, or a webhook; ``number`` tells it from all others.

    ``key`` is what its sender repeats it under: the idempotency key with its path, or the
    event ID. ``via`` is the link.
    """

    number: int
    operation: str
    key: str
    via: str


class Answered(Entry, frozen=True, kw_only=True, tag="ok"):
    """It was taken: the payment it is about and the event ID it was given, where it has them."""

    number: int
    payment_id: str | None = None
    event_id: str | None = None


class Refused(Entry, frozen=True, kw_only=True, tag="fail"):
    """It has certainly had no effect: refused, or never sent."""

    number: int
    why: str


class Unknown(Entry, frozen=True, kw_only=True, tag="unknown"):
    """Nobody knows what became of it: no answer, or one that says so."""

    number: int
    why: str


class Read(Entry, frozen=True, kw_only=True, tag="read"):
    """A payment was read through ``via``; ``asked`` is when the reading began."""

    asked: float
    via: str
    payment_id: str
    version: int
    status: str


class Published(Entry, frozen=True, kw_only=True, tag="state"):
    """A committed record of ``payment-state`` was seen."""

    partition: int
    offset: int
    payment_id: str
    version: int
    status: str


class FaultBegan(Entry, frozen=True, kw_only=True, tag="fault_begin"):
    """A fault begins."""

    number: int
    kind: str
    target: str


class FaultEnded(Entry, frozen=True, kw_only=True, tag="fault_end"):
    """It is over; ``met`` says what it met, and is empty where it met nothing."""

    number: int
    kind: str
    target: str
    met: str


class Started(Entry, frozen=True, kw_only=True, tag="start"):
    """A process was started."""

    name: str
    pid: int


class Exited(Entry, frozen=True, kw_only=True, tag="exit"):
    """A process has ended; as in ``subprocess``, a signal's number is negative."""

    name: str
    pid: int
    code: int


class Mark(Entry, frozen=True, kw_only=True, tag="mark"):
    """The run enters its next part."""

    name: str


class Outcome(Entry, frozen=True, kw_only=True, tag="outcome"):
    """At rest: what the service recorded of an input, and of which payment."""

    event_id: str
    payment_id: str | None
    kind: str
    outcome: str
    version: int | None = None


class Stored(Entry, frozen=True, kw_only=True, tag="payment"):
    """At rest: a payment as it is stored."""

    payment_id: str
    version: int
    status: str


class Violation(Entry, frozen=True, kw_only=True, tag="violation"):
    """At rest: what an invariant, the oracle or the provider's own objects say against it."""

    code: str
    what: str


Happened = (
    Invoked | Answered | Refused | Unknown | Read | Published | FaultBegan | FaultEnded | Started
    | Exited | Mark | Outcome | Stored | Violation
)  # fmt: skip
_ENCODE: Final = msgspec.json.Encoder().encode
_DECODE: Final = msgspec.json.Decoder(Happened).decode


class History:
    """A run's history, as it is written. A line is with the system once it is noted."""

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
        """A number no request and no fault has yet."""
        self._numbers += 1
        return self._numbers

    def note(self, entry: Happened) -> None:
        """Writes it down, as of now."""
        self._file.write(_ENCODE(msgspec.structs.replace(entry, at=self.now)) + b"\n")


def read(path: Path) -> Iterator[Happened]:
    """A history's entries in order. Raises msgspec.MsgspecError where it is none."""
    with path.open("rb") as file:
        for line in file:
            yield _DECODE(line)
