"""Idempotency keys, and the operations that this process accepted lately under them."""

import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from ingress.errors import (
    IdempotencyKeyReusedError,
    InvalidIdempotencyKeyError,
    MissingIdempotencyKeyError,
)

MAX_KEY_LENGTH: Final = 255
RECENT_OPERATIONS_MAX: Final = 50_000
#: A key is a string of RFC 8941, as draft-ietf-httpapi-idempotency-key-header has it: ``"K"``, with
#: ``\"`` and ``\\`` for these two characters. ``K`` by itself is the same key.
_STRING: Final = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])*)"')
_ESCAPED: Final = re.compile(r'\\(["\\])')
_PLAIN: Final = re.compile(r"[!#-~](?:[ -~]*[!-~])?")
#: What a request may send, for the documentation.
KEY_SCHEMA: Final[Mapping[str, Any]] = MappingProxyType({
    "type": "string",
    "pattern": r'^(?:[!#-~](?:[ -~]{0,253}[!-~])?|"(?:[ !#-\[\]-~]|\\["\\]){1,255}")$',
    "minLength": 1,
    "maxLength": 2 * MAX_KEY_LENGTH + 2,
})  # fmt: skip
_LENGTH: Final = f"1 to {MAX_KEY_LENGTH} printable ASCII characters, such as a UUID"


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
    key = _read(sent[0].strip(" "))
    if not 1 <= len(key) <= MAX_KEY_LENGTH:
        raise InvalidIdempotencyKeyError(f"Send an Idempotency-Key of {_LENGTH}.")
    return key


def _read(text: str) -> str:
    """Returns the key that a header's value names."""
    if text.startswith('"'):
        quoted = _STRING.fullmatch(text)
        if quoted is None:
            raise InvalidIdempotencyKeyError(
                "A key that begins with a quotation mark is a string of structured fields "
                "(RFC 8941): end it with another one, and send nothing after that. Inside, send "
                '\\" for a quotation mark, \\\\ for a backslash, and otherwise printable ASCII '
                "characters."
            )
        return _ESCAPED.sub(r"\1", quoted[1])
    if text and _PLAIN.fullmatch(text) is None:
        raise InvalidIdempotencyKeyError(f"Send an Idempotency-Key of {_LENGTH}.")
    return text


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
