"""A consumed record, and the input that was decoded from it."""

from collections.abc import Callable, Mapping
from typing import Final, Self

from msgspec import Struct
from msgspec.structs import replace

from domain.call_key import CallKey, Operation
from domain.inputs import (
    CallResult,
    DisputeFact,
    FraudWarningFact,
    Input,
    PaymentFact,
    RefundFact,
    Unmodelled,
)
from ports.texts import utc_time
from schemas import headers
from schemas.identity import is_payment_id

#: The kind of a record that could not be read when it came.
UNREAD: Final = "unread"


def unread_of(account: str) -> str:
    """Returns the kind of a webhook that was not read because its account was not known."""
    return f"{account}.{UNREAD}"


class RecordOffset(Struct, frozen=True, gc=False):
    """The position of a record in the log."""

    topic: str
    partition: int
    offset: int


class ConsumedRecord(Struct, frozen=True, kw_only=True):
    """A record as consumed: bytes, headers as text, the broker's timestamp in ms."""

    position: RecordOffset
    key: bytes | None
    value: bytes
    headers: Mapping[str, str]
    timestamp_ms: int


class DecodedInput(Struct, frozen=True, kw_only=True):
    """A decoded record: the payment it is about, and the domain's input."""

    record: ConsumedRecord
    payment_id: str
    event_id: str
    #: For people: ``command.create``, ``result.refund``, or the provider's own name of the event.
    kind: str
    input: Input
    #: The provider that reported it; None for a client's command.
    provider: str | None = None
    tenant: str | None = None
    operation_id: str | None = None
    #: The error of our own code on this record. Then the input has no content, and the payment is
    #: quarantined.
    failure: str | None = None
    #: This program's file of accounts does not have its account yet. Then the input has no content,
    #: and waits.
    of_unknown_account: bool = False


class Unreadable(bytes):
    """The value of an offset in a batch that can't be parsed.

    The first offset has the bytes of the whole batch, the others have none. ``why`` says what is
    wrong, and which offsets the batch has. No sender can forge one: it is a type, not a text.
    """

    why: str

    def __new__(cls, value: bytes, why: str) -> Self:
        """Makes the value of one offset."""
        made = super().__new__(cls, value)
        made.why = why
        return made


class DeadLetter(Struct, frozen=True):
    """An undecodable record and the reason."""

    record: ConsumedRecord
    error: str


#: Decodes a record of the log, or one that waited.
Decode = Callable[[ConsumedRecord], DecodedInput | DeadLetter]


def refusal_id(received: DecodedInput) -> str:
    """Returns the inbox key of a record that is refused, or on which our own code failed.

    Its event ID stays free for another record of the event.
    """
    return id_at(received.event_id, received.record.position)


def id_at(event_id: str, at: RecordOffset) -> str:
    """Returns the ID of one record of an event, where another record of it may have the effect."""
    return f"{event_id}@{at.topic}/{at.partition}/{at.offset}"


def failed(received: DecodedInput, error: str) -> DecodedInput:
    """Returns the input as one on which our own code failed, without its content."""
    nothing = Unmodelled(received.event_id, received.kind, error)
    return replace(received, input=replace(received.input, body=nothing), failure=error)


def without_effect(
    record: ConsumedRecord, payment_id: str, account: str, error: str
) -> DecodedInput:
    """Returns a webhook that can't be decoded as one without effect, which leaves its ID free.

    It has the headers of one. ``error`` says what is wrong with it.
    """
    event_id = record.headers[headers.EVENT_ID]
    fact = Unmodelled(event_id, UNREAD, f"it can't be decoded: {error}", other_form=True)
    return DecodedInput(
        record=record,
        payment_id=payment_id,
        event_id=event_id,
        kind=unread_of(account),
        input=Input(event_id, utc_time(record.headers[headers.RECEIVED_AT]), fact),
        provider=account,
    )


def named_object(received: DecodedInput) -> str | None:
    """Returns the ID of the provider's payment object that an input names, if any."""
    match received.input.body:
        case PaymentFact() | RefundFact() | DisputeFact() | FraudWarningFact() as fact:
            return fact.object_id
        case CallResult(operation=Operation.CREATE, object_id=object_id):
            return object_id
    return None


def named_cause(body: object) -> str | None:
    """Returns the payment whose call caused what a fact reports, if it echoes that call's key."""
    if not isinstance(body, PaymentFact | RefundFact):
        return None
    cause = CallKey.parse(body.caused_by)
    return cause.payment_id if cause is not None and is_payment_id(cause.payment_id) else None
