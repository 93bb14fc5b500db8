"""The requests of this process that wait for a decision, and what ends their wait.

A create's wait ends when its payment leaves CREATED and PROCESSING, or when the operation is
rejected or refused; the wait for any other operation when that is final.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from aiokafka import ConsumerRecord

from domain.status import OperationStatus, Status
from ingress.metrics import Metrics
from schemas.headers import QUARANTINED
from schemas.topics import PAYMENT_OPERATIONS

#: Most requests that wait at a time in one process.
WAITERS_MAX: Final = 4096
#: An operation and the version it led to come at the same moment, but not always together.
SAME_MOMENT_S: Final = 0.02
_UNDECIDED: Final = frozenset({Status.CREATED, Status.PROCESSING})
_IN_VAIN: Final = frozenset({OperationStatus.REJECTED, OperationStatus.REFUSED})
_FINAL: Final = _IN_VAIN | {OperationStatus.DONE}


class _OperationHead(msgspec.Struct, gc=False):
    id: str
    status: str
    version: int | None = None


class _PaymentHead(msgspec.Struct, gc=False):
    version: int
    status: str


_OPERATION: Final = msgspec.json.Decoder(_OperationHead)
_PAYMENT: Final = msgspec.json.Decoder(_PaymentHead)


@dataclass(slots=True, eq=False)
class Waiter:
    """One request that waits, and the last that is known of what it waits for, as JSON text."""

    payment_id: bytes
    #: None: it waits for the payment alone.
    operation_id: str | None
    #: Whether the payment ends the wait, too.
    for_payment: bool
    operation: str | None = None
    payment: str | None = None
    #: Set once the wait is over; the value says whether it is because of a decision.
    over: asyncio.Future[bool] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    #: The payment's status, if the payment is known.
    payment_status: str | None = None
    _status: str = ""
    _version: int = -1
    _has_left: bool = False

    def note_operation(self, document: str) -> None:
        """Notes a state of an operation, which may be another one of the payment, or older."""
        try:
            head = _OPERATION.decode(document)
        except msgspec.DecodeError:
            return
        if head.id != self.operation_id or self._status in _FINAL:
            return
        self._status, self.operation = head.status, document
        if head.status not in _FINAL:
            return
        has_version = head.version is None or self._version >= head.version
        if not self.for_payment or (self._has_left and has_version):
            self.end(decided=True)
        elif head.status in _IN_VAIN:
            self._end_soon(at_once=has_version)

    def note_payment(self, payment: str) -> None:
        """Notes a version of the payment, which may be an older one."""
        try:
            head = _PAYMENT.decode(payment)
        except msgspec.DecodeError:
            return
        if head.version < self._version:
            return
        self._version, self.payment = head.version, payment
        self.payment_status = head.status
        self._has_left = head.status not in _UNDECIDED
        if self.for_payment and self._has_left:
            self._end_soon(at_once=self.operation_id is None or self._status in _FINAL)

    def _end_soon(self, *, at_once: bool) -> None:
        """Ends the wait, perhaps only once what belongs to this moment has had time to come."""
        if at_once:
            self.end(decided=True)
        else:
            self.over.get_loop().call_later(SAME_MOMENT_S, self._end)

    def _end(self) -> None:
        self.end(decided=True)

    def end(self, *, decided: bool) -> None:
        """Ends the wait, unless it is over."""
        if not self.over.done():
            self.over.set_result(decided)


class Waiters:
    """All requests that wait, by payment. Handed the records that may end their waits."""

    def __init__(self, metrics: Metrics, most: int = WAITERS_MAX) -> None:
        self._metrics = metrics
        self._most = most
        self._count = 0
        self._by_payment: dict[bytes, list[Waiter]] = {}
        self._is_closed = False

    def __len__(self) -> int:
        return self._count

    @property
    def has_room(self) -> bool:
        """Whether another request may wait."""
        return not self._is_closed and self._count < self._most

    def add(self, payment_id: str, operation_id: str | None, *, for_payment: bool) -> Waiter | None:
        """Returns a new waiter, which ``remove`` must free; None if there is no free one."""
        if not self.has_room:
            return None
        waiter = Waiter(payment_id.encode(), operation_id, for_payment)
        self._by_payment.setdefault(waiter.payment_id, []).append(waiter)
        self._count += 1
        self._metrics.following.waiting.set(self._count)
        return waiter

    def remove(self, waiter: Waiter) -> None:
        """Frees a waiter."""
        waiter.end(decided=False)
        of_payment = self._by_payment[waiter.payment_id]
        of_payment.remove(waiter)
        if not of_payment:
            del self._by_payment[waiter.payment_id]
        self._count -= 1
        self._metrics.following.waiting.set(self._count)

    def take(self, records: Iterable[ConsumerRecord[bytes, bytes]]) -> None:
        """Ends the waits for what these records of the stream report."""
        for record in records:
            found = self._by_payment.get(record.key or b"")
            if found is None:
                continue
            text = (record.value or b"").decode("utf-8", "replace")
            if record.topic == PAYMENT_OPERATIONS:
                for waiter in found:
                    waiter.note_operation(text)
            else:
                shown = with_quarantined(text, quarantined=_is_quarantined(record))
                for waiter in found:
                    waiter.note_payment(shown)

    def end_all(self) -> None:
        """Ends all waits: nothing will wake them any more, or not in time."""
        for of_payment in self._by_payment.values():
            for waiter in of_payment:
                waiter.end(decided=False)

    def close(self) -> None:
        """Ends all waits and lets none begin any more."""
        self._is_closed = True
        self.end_all()


def with_quarantined(payment: str, *, quarantined: bool) -> str:
    """Returns a published version as the API returns it."""
    return f'{payment[:-1]},"quarantined":{"true" if quarantined else "false"}}}'


def _is_quarantined(record: ConsumerRecord[Any, Any]) -> bool:
    return any(name == QUARANTINED and value == b"true" for name, value in record.headers)
