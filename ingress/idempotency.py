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
    """One operation this process has seen."""

    fingerprint: str
    #: When it came first; a retry is answered with the same times.
    received_at: datetime
    accepted: bool = False


class OperationMemory:
    """The last operations seen by this process, so that a second body is refused at once.

    Only a help: other replicas have their own, and the processor's word is final.
    """

    def __init__(self, capacity: int = REMEMBERED_OPERATIONS) -> None:
        self._capacity = capacity
        self._operations: OrderedDict[str, Remembered] = OrderedDict()

    def find(self, operation_id: str, fingerprint: str) -> Remembered | None:
        """The operation, if it is remembered. Raises IdempotencyKeyReusedError for another body."""
        known = self._operations.get(operation_id)
        if known is None:
            return None
        if known.fingerprint != fingerprint:
            raise key_reused()
        self._operations.move_to_end(operation_id)
        return known

    def claim(self, operation_id: str, fingerprint: str, at: datetime) -> Remembered:
        """The operation, remembered from now on if it wasn't. Raises as ``find`` does."""
        known = self.find(operation_id, fingerprint)
        if known is None:
            known = self._operations[operation_id] = Remembered(fingerprint, at)
            if len(self._operations) > self._capacity:
                self._operations.popitem(last=False)
        return known

    def forget(self, operation_id: str, known: Remembered) -> None:
        """Forgets an operation whose record certainly never left, unless a twin was accepted."""
        if not known.accepted and self._operations.get(operation_id) is known:
            del self._operations[operation_id]
