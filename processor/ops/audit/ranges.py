"""Ranges of payment IDs. What is known of a range's payments before it is read waits on disk."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from pathlib import Path
from struct import Struct as Layout
from typing import Final

from msgspec import Struct, field

from ports.errors import ProcessorError

#: Bytes of all ranges that wait in memory to be written.
BUFFERED_BYTES: Final = 8 * 1024 * 1024
_DIGEST_BYTES: Final = 16
#: The length of the key, the kind of note, the version, and a digest.
_HEAD: Final = Layout(f">IBI{_DIGEST_BYTES}s")
_LISTED, _MARKED, _PUBLISHED, _PUBLISHED_QUARANTINED, _OPERATION = range(5)
_NO_DIGEST: Final = bytes(_DIGEST_BYTES)


class Range(Struct, frozen=True, kw_only=True):
    """Payment IDs from ``first`` up to, but not including, ``until``. None: there is no end."""

    number: int
    first: str
    until: str | None


class Published(Struct, kw_only=True):
    """What ``payment-state`` has for some payments, by key."""

    versions: dict[str, list[int]] = {}
    digests: dict[str, bytes] = {}
    quarantined: set[str] = set()


class Notes(Struct, kw_only=True):
    """What was noted about the payments of a range."""

    published: Published = field(default_factory=Published)
    #: By payment ID: the last version marked as published.
    marked: dict[str, int] = {}
    #: By payment and operation ID: statuses and digests of the records, in log order.
    operations: dict[str, dict[str, list[tuple[str, bytes]]]] = {}
    #: The payments that an incremental audit checks.
    listed: list[str] = []

    def of_listed(self) -> "Notes":
        """Returns those about listed payments."""
        listed, published = frozenset(self.listed), self.published
        return Notes(
            published=Published(
                versions={k: v for k, v in published.versions.items() if k in listed},
                digests={k: v for k, v in published.digests.items() if k in listed},
                quarantined=published.quarantined & listed,
            ),
            marked=self.marked,
            operations={k: v for k, v in self.operations.items() if k in listed},
            listed=self.listed,
        )


class CollationError(ProcessorError):
    """The database orders payment IDs in another way than by their bytes."""


class Ranges:
    """All ranges, and a file of notes for each. The order is that of the IDs' bytes.

    Args:
        folder: for the files.
        boundaries: the first ID of each range, in order; more begin with ``begin``.
    """

    def __init__(self, folder: Path, boundaries: Sequence[str]) -> None:
        self._folder = folder
        self.boundaries = list(boundaries)
        self._buffers: dict[int, bytearray] = {}
        self._buffered = 0

    def begin(self, first: str) -> None:
        """Ends the last range, and begins another. Raises CollationError."""
        if first <= self.boundaries[-1]:
            raise CollationError("the database must have the collation C: see docs/operating.md")
        self.boundaries.append(first)

    def __iter__(self) -> Iterator[Range]:
        untils = [*self.boundaries[1:], None]
        for number, (first, until) in enumerate(zip(self.boundaries, untils, strict=True)):
            yield Range(number=number, first=first, until=until)

    def list(self, payment_id: str) -> None:
        """Notes a payment that is to be checked."""
        self._note(payment_id, _LISTED, 0, _NO_DIGEST)

    def mark(self, payment_id: str, version: int) -> None:
        """Notes the last version that is marked as published."""
        self._note(payment_id, _MARKED, version, _NO_DIGEST)

    def publish(self, key: str, version: int, digest: bytes, *, quarantined: bool) -> None:
        """Notes a record of ``payment-state``."""
        kind = _PUBLISHED_QUARANTINED if quarantined else _PUBLISHED
        self._note(key, kind, version, digest)

    def answer(self, key: str, operation_id: str, status: str, digest: bytes) -> None:
        """Notes a record of ``payment-operations``."""
        self._note(f"{key} {operation_id} {status}", _OPERATION, 0, digest)

    def _note(self, key: str, kind: int, version: int, digest: bytes) -> None:
        number = bisect_right(self.boundaries, key) - 1
        if number < 0:
            return
        raw = key.encode()
        note = _HEAD.pack(len(raw), kind, version, digest) + raw
        buffer = self._buffers.get(number)
        if buffer is None:
            buffer = self._buffers[number] = bytearray()
        buffer += note
        self._buffered += len(note)
        if self._buffered > BUFFERED_BYTES:
            self.write()

    def write(self) -> None:
        """Writes what waits in memory, for others to take."""
        for number, buffer in self._buffers.items():
            with self._path(number).open("ab") as file:
                file.write(buffer)
        self._buffers.clear()
        self._buffered = 0

    def _path(self, number: int) -> Path:
        return self._folder / str(number)

    def take(self, one: Range) -> Notes:
        """Returns the notes about a range as written, in their order, and removes them."""
        path, notes = self._path(one.number), Notes()
        if path.exists():
            _read(path.read_bytes(), notes)
            path.unlink()
        return notes


def _read(raw: bytes, notes: Notes) -> None:
    at, published = 0, notes.published
    while at < len(raw):
        length, kind, version, digest = _HEAD.unpack_from(raw, at)
        at += _HEAD.size + length
        key = raw[at - length : at].decode()
        if kind == _LISTED:
            notes.listed.append(key)
        elif kind == _MARKED:
            notes.marked[key] = version
        elif kind == _OPERATION:
            payment_id, operation_id, status = key.split(" ")
            of_payment = notes.operations.setdefault(payment_id, {})
            of_payment.setdefault(operation_id, []).append((status, digest))
        else:
            published.versions.setdefault(key, []).append(version)
            published.digests[key] = digest
            is_quarantined = kind == _PUBLISHED_QUARANTINED
            (published.quarantined.add if is_quarantined else published.quarantined.discard)(key)
