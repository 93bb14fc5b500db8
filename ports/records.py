"""A record of the log as it came, and as it was understood."""

from collections.abc import Mapping
from typing import Self

from msgspec import Struct
from msgspec.structs import replace

from domain.call_key import Operation
from domain.inputs import CallResult, DisputeFact, Input, PaymentFact, RefundFact, Unmodelled


class RecordOffset(Struct, frozen=True):
    """Where a record stands in the log."""

    topic: str
    partition: int
    offset: int


class ConsumedRecord(Struct, frozen=True):
    """A record as it came: bytes, headers as text, the broker's timestamp in ms."""

    position: RecordOffset
    key: bytes | None
    value: bytes
    headers: Mapping[str, str]
    timestamp_ms: int


class DecodedInput(Struct, frozen=True):
    """A record as it was understood: which payment it is about, and what it says."""

    record: ConsumedRecord
    payment_id: str
    event_id: str
    #: For people: ``command.create``, ``result.refund``, or the provider's own name of the event.
    kind: str
    input: Input
    #: The provider that says it; None for a client's command.
    provider: str | None = None
    tenant: str | None = None
    operation_id: str | None = None
    #: Our own code failed on the record, with this error: what it says is not known yet. The input
    #: is none then, and the payment is quarantined.
    failure: str | None = None


class Unreadable(bytes):
    """In the place of a value: what stands at an offset of a batch that can't be taken apart.

    The first offset has the bytes of the whole batch, the others have none. ``why`` says what is
    wrong, and which offsets the batch has. Nobody outside can send one: it is a type, not a text.
    """

    why: str

    def __new__(cls, value: bytes, why: str) -> Self:
        """One at one offset."""
        made = super().__new__(cls, value)
        made.why = why
        return made


class DeadLetter(Struct, frozen=True):
    """A record nobody can decode, and why."""

    record: ConsumedRecord
    error: str


def refusal_id(received: DecodedInput) -> str:
    """What a refused record is known by: its event ID is left to the event, told rightly."""
    at = received.record.position
    return f"{received.event_id}@{at.topic}/{at.partition}/{at.offset}"


def failed(received: DecodedInput, error: str) -> DecodedInput:
    """The record as one on which our own code failed; nothing looks at what it says any more."""
    nothing = Unmodelled(received.event_id, received.kind, error)
    return replace(received, input=replace(received.input, body=nothing), failure=error)


def named_object(received: DecodedInput) -> str | None:
    """The provider's payment object that an input names, if it names one."""
    match received.input.body:
        case PaymentFact() | RefundFact() | DisputeFact() as fact:
            return fact.object_id
        case CallResult(operation=Operation.CREATE, object_id=object_id):
            return object_id
    return None
