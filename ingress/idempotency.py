"""Idempotency keys, and the operations that this process accepted lately under them."""

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
RECENT_OPERATIONS_MAX: Final = 50_000
_FIRST_PRINTABLE, _LAST_PRINTABLE = " ", "~"


def idempotency_key(sent: Sequence[str]) -> str:
    """Returns the key from the values of all ``Idempotency-Key`` headers of a request.

    Raises MissingIdempotencyKeyError or InvalidIdempotencyKeyError.
    """
    if not sent:
        raise MissingIdempotencyKeyError(
            "Send an Idempotency-Key header: a new unique value for a new operation, "
            "the same value to retry it."
        )
    if len(sent) > 1:
        raise InvalidIdempotencyKeyError("Send exactly one Idempotency-Key header.")
    key = sent[0]
    printable = all(_FIRST_PRINTABLE <= char <= _LAST_PRINTABLE for char in key)
    if not (1 <= len(key) <= MAX_KEY_LENGTH and printable):
        raise InvalidIdempotencyKeyError(
            f"Send an Idempotency-Key of 1 to {MAX_KEY_LENGTH} printable ASCII characters, "
            "such as a UUID."
        )
    return key


def key_reused() -> IdempotencyKeyReusedError:
    """Returns the error for a second body under a known key."""
    return IdempotencyKeyReusedError(
        "This Idempotency-Key was used with another body. "
        "Send that body to retry the operation, or a new key for a new operation."
    )


@dataclass(slots=True, kw_only=True)
class RecentOperation:
    """One input of an operation, and how certain it is that no earlier one exists."""

    event_id: str
    #: When its first request came. The answers to all retries have the same times.
    received_at: datetime
    #: Whether the brokers have acknowledged it.
    accepted: bool = False
    #: Whether a look-up before its acceptance found no earlier input of the operation.
    looked_up: bool = False
    #: Whether the store has it as the operation's first input. That never changes.
    is_first: bool = False


class RecentOperations:
    """A bounded map of the operations that this process handled last, by operation ID.

    It is a cache: other replicas have their own, a restart empties it, and the processor decides.
    An entry whose ``is_first`` is false refuses no request before the store was asked again.
    """

    def __init__(self, capacity: int = RECENT_OPERATIONS_MAX) -> None:
        self._capacity = capacity
        self._operations: OrderedDict[str, RecentOperation] = OrderedDict()

    def find(self, operation_id: str) -> RecentOperation | None:
        """Returns the entry, if there is one, and marks it as the most recently used."""
        known = self._operations.get(operation_id)
        if known is not None:
            self._operations.move_to_end(operation_id)
        return known

    def put(self, operation_id: str, known: RecentOperation) -> RecentOperation:
        """Adds or replaces an entry, evicts the least recently used one, returns the new entry."""
        self._operations[operation_id] = known
        self._operations.move_to_end(operation_id)
        if len(self._operations) > self._capacity:
            self._operations.popitem(last=False)
        return known

    def discard(self, operation_id: str, known: RecentOperation) -> None:
        """Removes an entry whose record was not sent, unless a concurrent request was accepted."""
        if not known.accepted and self._operations.get(operation_id) is known:
            del self._operations[operation_id]
