"""The parts of ExamplePay's objects that are read here, and nothing else of them.

Unknown fields pass unread; a field of the wrong type is an error of the decoder.
"""

from datetime import datetime
from typing import Annotated, Any, Final, Literal

import msgspec

#: IDs and names: each becomes a key, a header or a row, none of which takes everything.
NAME_PATTERN: Final = r"\A[!-~]{1,255}\Z"
Name = Annotated[str, msgspec.Meta(pattern=NAME_PATTERN)]
#: RFC 3339, with a zone; fractions of a second are kept to the microsecond.
Time = Annotated[datetime, msgspec.Meta(tz=True)]
Currency = Annotated[str, msgspec.Meta(pattern=r"\A[A-Z]{3}\Z")]


class Money(msgspec.Struct):
    """A decimal in major units, and its currency."""

    value: str
    currency: Currency


class Reason(msgspec.Struct):
    """Why something did not work: a code, and a sentence."""

    code: str
    text: str


class Attempt(msgspec.Struct):
    """One try to take the money, under the operation key that it was asked for with."""

    id: Name
    operation_key: str | None = None
    decline: Reason | None = None


class CustomerStep(msgspec.Struct):
    """Where the customer has to go."""

    url: str


class Payment(msgspec.Struct):
    """A payment. ``captured`` is in the currency of ``amount``."""

    id: Name
    state: str
    amount: Money
    changed_at: Time
    merchant: str | None = None
    trial: bool | None = None
    captured: str = "0"
    reference: str | None = None
    attempts: list[Attempt] = []
    customer_step: CustomerStep | None = None
    void_reason: str | None = None


class Refund(msgspec.Struct):
    """A refund. ``reference`` is whatever its maker called it."""

    id: Name
    state: str
    payment: Name
    amount: Money
    reference: str | None = None
    reason: str | None = None
    bounce: Reason | None = None


class Move(msgspec.Struct):
    """Disputed money that was taken from us, or given back. ``value`` is never negative."""

    id: Name
    direction: Literal["taken", "returned"]
    value: str


class Chargeback(msgspec.Struct):
    """A chargeback, or the inquiry before one."""

    id: Name
    state: str
    payment: Name
    amount: Money
    reason: str | None = None
    moves: list[Move] = []


class Event(msgspec.Struct):
    """A notification. ``subject`` is undecoded until its kind is known, from ``name``."""

    id: Name
    #: The kind of subject, a slash, and what happened: ``payment/paid``.
    name: Name
    occurred_at: Time
    #: Whose event it is, and whether it is about trial data instead of money.
    merchant: Name
    trial: bool
    subject: msgspec.Raw


class RoutingSubject(msgspec.Struct):
    """What routing reads of any subject: of any type, so that none is refused."""

    id: Any = None
    payment: Any = None
    reference: Any = None
    payment_reference: Any = None


class Made(msgspec.Struct):
    """What answers a call that was carried out: the object's ID is enough."""

    id: Name


class Fault(msgspec.Struct):
    """What answers a call that was not. ``state`` is the payment's, where that was why."""

    fault: str
    explanation: str = ""
    state: str | None = None


class Found(msgspec.Struct):
    """One object of a list that was asked for by reference."""

    id: Name
    reference: str | None = None
    payment: str | None = None
    amount: Money | None = None


class FoundList(msgspec.Struct):
    """The objects with one reference."""

    items: list[Found]


class EventPage(msgspec.Struct):
    """Events, oldest first, each as its webhook brought it."""

    events: list[msgspec.Raw]
    more: bool
