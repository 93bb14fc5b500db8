"""Idempotency keys, and what this process remembers of the operations they named."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ingress.errors import (
    IdempotencyKeyReusedError,
    InvalidIdempotencyKeyError,
    MissingIdempotencyKeyError,
)

MAX_KEY_LENGTH: Final = 255
REMEMBERED_OPERATIONS: Final = 50_000
_FIRST_PRINTABLE, _LAST_PRINTABLE = " ", "~"


def idempotency_key(sent: Sequence[str]) -> str:
    """The key, from all ``Idempotency-Key`` headers sent; otherwise an error says what to send."""
    if not sent:
        raise MissingIdempotencyKeyError(
            "Send an Idempotency-Key header: a new unique value for a new operation, "
            "the same value to retry one."
        )
    if len(sent) > 1:
        raise InvalidIdempotencyKeyError("Send exactly one Idempotency-Key header.")
    key = sent[0]
    printable = all(_FIRST_PRINTABLE <= char <= _LAST_PRINTABLE for char in key)
    if not (1 <= len(key) <= MAX_KEY_LENGTH and printable):
        raise InvalidIdempotencyKeyError(
            f"Idempotency-Key takes 1 to {MAX_KEY_LENGTH} printable ASCII characters; "
            "a UUID is a good one."
        )
    return key


def key_reused() -> IdempotencyKeyReusedError:
    """The refusal of another body under a known key."""
    return IdempotencyKeyReusedError(
        "This Idempotency-Key came with another body before. "
        "Send the first body again, or use a new key for a new operation."
    )


@dataclass(slots=True)
class Remembered:
    """The input that this process holds for an operation's first, and how surely."""

    event_id: str
    #: When it came first; a retry is answered with the same times.
    received_at: datetime
    #: The brokers have it.
    accepted: bool = False
    #: The store was asked before it was taken in, and had no input of this operation.
    looked_up: bool = False
    #: The store said that this input is the first: the only word that never changes.
    settled: bool = False


class OperationMemory:
    """The last operations seen by this process.

    Only a help: other replicas have their own, a restart empties it, and the processor's word is
    final. So an operation that is not settled refuses nothing without the store being asked again.
    """

    def __init__(self, capacity: int = REMEMBERED_OPERATIONS) -> None:
        self._capacity = capacity
        self._operations: OrderedDict[str, Remembered] = OrderedDict()

    def find(self, operation_id: str) -> Remembered | None:
        """The operation, if it is remembered."""
        known = self._operations.get(operation_id)
        if known is not None:
            self._operations.move_to_end(operation_id)
        return known

    def keep(self, operation_id: str, known: Remembered) -> Remembered:
        """Remembers this of the operation, in place of what was known before."""
        self._operations[operation_id] = known
        self._operations.move_to_end(operation_id)
        if len(self._operations) > self._capacity:
            self._operations.popitem(last=False)
        return known

    def forget(self, operation_id: str, known: Remembered) -> None:
        """Forgets an operation whose record certainly never left, unless a twin was accepted."""
        if not known.accepted and self._operations.get(operation_id) is known:
            del self._operations[operation_id]
