"""The idempotency keys of provider calls: built and parsed here, and nowhere else.

A key names one call of one payment, so the same call always has the same key::

    <payment ID>:create
    <payment ID>:confirm:2                 the attempt's number
    <payment ID>:capture:1                 the capture's number
    <payment ID>:cancel:1                  the number of the client's cancel
    <payment ID>:cancel:exhausted          our own cancel, after the last attempt failed
    <payment ID>:refund:<refund ID>

A call that certainly did not happen can be made again under a new key. That key ends in the
generation: ``<payment ID>:confirm:2.1``.
"""

from enum import StrEnum
from typing import Final, Self

from msgspec import Struct
from msgspec.structs import replace


class Operation(StrEnum):
    """What a provider call asks for."""

    CREATE = "create"
    CONFIRM = "confirm"
    CAPTURE = "capture"
    CANCEL = "cancel"
    REFUND = "refund"


_OPERATIONS: Final = {operation.value: operation for operation in Operation}
_EXHAUSTED: Final = "exhausted"


class CallKey(Struct, frozen=True):
    """The parts of one idempotency key. ``str`` gives the key itself."""

    payment_id: str
    operation: Operation
    #: What distinguishes the calls of one operation; empty for create, which is called once.
    name: str = ""
    #: How many times a new key was needed for this call; 0 for the first key.
    generation: int = 0

    @classmethod
    def create(cls, payment_id: str) -> Self:
        """The key of the call that creates the provider's payment object."""
        return cls(payment_id, Operation.CREATE)

    @classmethod
    def confirm(cls, payment_id: str, attempt: int) -> Self:
        """The key of the call that starts an attempt after the first; ``attempt`` is its number."""
        return cls(payment_id, Operation.CONFIRM, str(attempt))

    @classmethod
    def capture(cls, payment_id: str, number: int) -> Self:
        """The key of the payment's capture with this number."""
        return cls(payment_id, Operation.CAPTURE, str(number))

    @classmethod
    def cancel(cls, payment_id: str, number: int) -> Self:
        """The key of the client's cancel with this number."""
        return cls(payment_id, Operation.CANCEL, str(number))

    @classmethod
    def cancel_exhausted(cls, payment_id: str) -> Self:
        """The key of our own cancel, after the last attempt failed."""
        return cls(payment_id, Operation.CANCEL, _EXHAUSTED)

    @classmethod
    def refund(cls, payment_id: str, refund_id: str) -> Self:
        """The key of the call that makes this refund."""
        return cls(payment_id, Operation.REFUND, refund_id)

    @classmethod
    def parse(cls, text: str | None) -> Self | None:
        """The parts of a key; None where the text is not one of our keys."""
        if text is None:
            return None
        base, _, generation = text.partition(".")
        payment_id, _, rest = base.partition(":")
        verb, _, name = rest.partition(":")
        operation = _OPERATIONS.get(verb)
        has_name = operation is not Operation.CREATE
        if operation is None or not payment_id or bool(name) is not has_name or ":" in name:
            return None
        key = cls(payment_id, operation, name, _generation(generation))
        return key if str(key) == text else None  # such as a generation that is no number

    def __str__(self) -> str:
        name = f":{self.name}" if self.name else ""
        generation = f".{self.generation}" if self.generation else ""
        return f"{self.payment_id}:{self.operation}{name}{generation}"

    @property
    def call(self) -> str:
        """The call's first key, which identifies the call whatever the generation."""
        return str(self) if self.generation == 0 else str(replace(self, generation=0))

    @property
    def attempt(self) -> int:
        """The number of the attempt that the call starts; 0 where it starts none."""
        if self.operation is Operation.CREATE:
            return 1
        is_numbered = (
            self.operation is Operation.CONFIRM and self.name.isascii() and self.name.isdecimal()
        )
        return int(self.name) if is_numbered else 0


_GENERATION_DIGITS_MAX: Final = 9


def _generation(text: str) -> int:
    is_number = text.isascii() and text.isdecimal() and len(text) <= _GENERATION_DIGITS_MAX
    return int(text) if is_number else 0


def is_key_of(key: str | None, call_key: str) -> bool:
    """Whether ``key`` belongs to the call ``call_key``, whatever the key's generation."""
    parsed = CallKey.parse(key)
    return parsed is not None and parsed.call == call_key


def key_of_generation(call_key: str, generation: int) -> str:
    """The key under which a call is made for the nth time that it needs a new one; 0: the first.

    Raises ValueError where ``call_key`` is not one of our keys.
    """
    key = CallKey.parse(call_key)
    if key is None:
        raise ValueError(f"{call_key!r} is not the key of a provider call")
    return str(replace(key, generation=generation))
