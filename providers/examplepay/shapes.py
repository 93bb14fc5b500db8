"""The fields of ExamplePay's objects that we read.

Unknown fields are ignored. A field of the wrong type is an error of the decoder.
"""

from datetime import datetime
from typing import Annotated, Any, Final, Literal

import msgspec

#: IDs and names. They become record keys, headers and columns, which accept no other characters.
NAME_PATTERN: Final = r"\A[!-~]{1,255}\Z"
Name = Annotated[str, msgspec.Meta(pattern=NAME_PATTERN)]
#: RFC 3339 with a time zone, to the microsecond.
Time = Annotated[datetime, msgspec.Meta(tz=True)]
Currency = Annotated[str, msgspec.Meta(pattern=r"\A[A-Z]{3}\Z")]


class Money(msgspec.Struct):
    """A decimal in major units, and its currency."""

    value: str
    currency: Currency


class Reason(msgspec.Struct):
    """Why something failed: a code and a message."""

    code: str
    text: str


class Attempt(msgspec.Struct):
    """One attempt, with the operation key of the request that started it."""

    id: Name
    operation_key: str | None = None
    decline: Reason | None = None


class CustomerStep(msgspec.Struct):
    """The page that the customer has to visit."""

    url: str


class Payment(msgspec.Struct):
    """A payment. ``captured`` is in the currency of ``amount``."""

    id: Name
    state: str
    amount: Money
    captured: str
    changed_at: Time
    merchant: str | None = None
    trial: bool | None = None
    reference: str | None = None
    attempts: list[Attempt] = []
    customer_step: CustomerStep | None = None
    #: The operation key of the request that voided it, if one did.
    void_key: str | None = None


class Refund(msgspec.Struct):
    """A refund. ``reference`` is free text of its creator."""

    id: Name
    state: str
    payment: Name
    amount: Money
    reference: str | None = None
    reason: str | None = None
    bounce: Reason | None = None


class Move(msgspec.Struct):
    """A movement of disputed money. ``value`` is never negative."""

    id: Name
    direction: Literal["taken", "returned"]
    value: str


class Chargeback(msgspec.Struct):
    """A chargeback, or the inquiry before it."""

    id: Name
    state: str
    payment: Name
    amount: Money
    moves: list[Move]
    reason: str | None = None


class Event(msgspec.Struct):
    """A notification. ``subject`` stays undecoded until ``name`` has given its kind."""

    id: Name
    #: The kind of the subject, a slash, and what happened: ``payment/paid``.
    name: Name
    occurred_at: Time
    #: The merchant's name, and whether it is about trial data instead of real money.
    merchant: Name
    trial: bool
    subject: msgspec.Raw


class Occurred(msgspec.Struct):
    """When an event happened, of which nothing else may be readable."""

    occurred_at: Time


class RoutingSubject(msgspec.Struct):
    """What routing reads of any subject. The fields are of any type, so that none is refused."""

    id: Any = None
    payment: Any = None
    reference: Any = None
    payment_reference: Any = None
    void_key: Any = None


class CreatedObject(msgspec.Struct):
    """The response to a call that was carried out. We only need the object's ID."""

    id: Name


class Fault(msgspec.Struct):
    """The response to a call that was not. ``state`` is the payment's, if that is the reason."""

    fault: str
    explanation: str = ""
    state: str | None = None


class Found(msgspec.Struct):
    """One object that was found by its reference."""

    id: Name
    #: Required: without it, a refund that was made could be taken for another and made again.
    amount: Money
    reference: str | None = None
    payment: str | None = None
    #: Of a payment. The first one is the create's own.
    attempts: list[Attempt] = []


class FoundList(msgspec.Struct):
    """The objects with one reference."""

    items: list[Found]


class Part(msgspec.Struct):
    """What an event needs of a fetched refund or chargeback."""

    id: Name
    changed_at: Time
    merchant: Name
    trial: bool


class Listed(msgspec.Struct):
    """Refunds or chargebacks, oldest first; ``more`` are newer than the last one."""

    items: list[msgspec.Raw]
    more: bool


class EventPage(msgspec.Struct):
    """Events, oldest first, each in the form of its webhook."""

    events: list[msgspec.Raw]
    more: bool
