"""Checks that the other tables agree with ``payments``. Pure: rows in, violations out."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from domain.call_key import CallKey, Operation
from domain.calls import ProviderCall
from domain.money import format_amount
from domain.payment import Payment
from domain.view import Snapshot
from ports.records import RecordOffset
from postgres.documents import decode_call
from processor.ops.decoded import Decoded, Unreadable
from schemas.identity import result_event_id

#: Dispute ID, status, amount, currency, deadline, and what moved in each currency.
DisputeRow = tuple[str, str, int, str, datetime | None, list[dict[str, Any]]]


class CallRow(Struct, frozen=True, kw_only=True):
    """One row of provider_calls."""

    key: str
    payment_id: str
    provider: str
    operation: str
    #: None: it is no longer kept.
    request: str | None
    #: Done, but not so recently that its result may be in flight, and not so long ago that its
    #: outcome may have been deleted.
    needs_result: bool = False


class VersionPlacement(Struct, frozen=True, kw_only=True):
    """The publication and the partition of a version that is not published yet."""

    payment_id: str
    version: int
    #: None: the payment has no such version.
    event_id: str | None
    publication_id: int
    #: None: the publication does not exist.
    partition: int | None


class Tables(Struct, frozen=True, kw_only=True):
    """The rows of the tables that repeat ``payments`` or depend on it."""

    #: By payment ID: (refund ID, status, amount, reversed).
    refunds: Mapping[str, Collection[tuple[str, str, int, bool]]] = {}
    #: By payment ID.
    disputes: Mapping[str, Collection[DisputeRow]] = {}
    calls: Sequence[CallRow] = ()
    #: By payment ID: the event on which our code failed.
    quarantines: Mapping[str, str] = {}
    #: By event ID: (payment ID, outcome).
    inbox: Mapping[str, tuple[str, str]] = {}
    placements: Sequence[VersionPlacement] = ()
    #: By event ID: the position of its record.
    positions: Mapping[str, RecordOffset] = {}

    def count(self) -> int:
        """Returns the number of rows to check."""
        parts = sum(map(len, (*self.refunds.values(), *self.disputes.values())))
        return parts + len(self.calls) + len(self.quarantines) + len(self.placements)


def disagreements(documents: Mapping[str, Decoded | Unreadable], tables: Tables) -> Iterator[str]:
    """Yields every row that is missing, superfluous or different from the payment's document.

    Rows of payments whose document is unreadable are skipped; S4 reports those documents.
    """
    decoded = {p: each for p, each in documents.items() if isinstance(each, Decoded)}
    unreadable = documents.keys() - decoded.keys()
    yield from _parts({p: each.view for p, each in decoded.items()}, unreadable, tables)
    yield from _calls({p: each.payment for p, each in decoded.items()}, unreadable, tables)
    yield from _quarantines(tables)
    yield from _publications(tables)


def _parts(
    views: Mapping[str, Snapshot], unreadable: Collection[str], tables: Tables
) -> Iterator[str]:
    for what, rows, expected in (
        ("refund", tables.refunds, {p: _refunds(view) for p, view in views.items()}),
        ("dispute", tables.disputes, {p: _disputes(view) for p, view in views.items()}),
    ):
        for payment_id in sorted((rows.keys() | expected.keys()) - set(unreadable)):
            stored = {row[0]: row for row in rows.get(payment_id, ())}
            said = {row[0]: row for row in expected.get(payment_id, ())}
            for part in sorted(stored.keys() | said.keys()):
                if stored.get(part) != said.get(part):
                    yield (
                        f"{payment_id}: {what} {part} is stored as {stored.get(part)}, "
                        f"its facts say {said.get(part)}"
                    )


def _refunds(view: Snapshot) -> list[tuple[str, str, int, bool]]:
    return [(r.id, str(r.status), r.amount, r.reversed) for r in view.refunds]


def _disputes(view: Snapshot) -> list[DisputeRow]:
    return [
        (d.id, str(d.status), d.amount, d.currency, d.respond_by, msgspec.to_builtins([*d.funds]))
        for d in view.disputes
    ]


def _calls(
    payments: Mapping[str, Payment], unreadable: Collection[str], tables: Tables
) -> Iterator[str]:
    written = {row.key: row for row in tables.calls}
    for payment in payments.values():
        for key in sorted(key for key in payment.calls if key not in written):
            yield f"{payment.id} asked for the call {key}, which has no row"
    for row in tables.calls:
        if row.payment_id in unreadable:
            continue
        asked_by = payments.get(row.payment_id)
        if asked_by is None or row.key not in asked_by.calls:
            yield f"the call {row.key} was never asked for by {row.payment_id}"
        elif (wrong := _wrong_call(asked_by, row)) is not None:
            yield f"the call {row.key} {wrong}"
        if row.needs_result and result_event_id(row.key) not in tables.inbox:
            yield f"the call {row.key} is done, and its result was never processed"


def _wrong_call(payment: Payment, row: CallRow) -> str | None:
    """Returns how a call's row contradicts its payment; None if it does not."""
    key = CallKey.parse(row.key)
    operation = str(key.operation) if key is not None else ""
    if row.request is None:
        stored, meant = (row.provider, row.operation), (payment.provider, operation)
        return None if stored == meant else f"says {stored}, its payment {meant}"
    try:
        call = decode_call(row.request)
    except msgspec.MsgspecError as error:
        return f"can't be read: {error}"
    says = (
        call.key, call.payment_id, call.provider, str(call.operation), row.provider, row.operation,
    )  # fmt: skip
    means = (row.key, payment.id, payment.provider, operation, payment.provider, operation)
    if says != means:
        return f"says {says}, its payment {means}"
    if call.object_id not in {None, payment.object_id}:
        return f"is on {call.object_id}, its payment is {payment.object_id}"
    return _wrong_refund(payment, call)


def _wrong_refund(payment: Payment, call: ProviderCall) -> str | None:
    if call.operation is not Operation.REFUND:
        return None
    amounts = {refund.id: refund.amount for refund in payment.refunds}
    asked = amounts.get(call.refund_id or "")
    if asked == call.amount:
        return None
    said, meant = (
        "nothing" if amount is None else format_amount(amount, payment.currency)
        for amount in (call.amount, asked)
    )
    return f"refunds {said}, its payment asked for {meant}"


def _quarantines(tables: Tables) -> Iterator[str]:
    """A quarantine and the event it is for: our code failed on the one, so there is the other.

    The event waits under its record's own ID (``id_at``), and leaves the event's to another record.
    """
    apart = {
        (row[0], known_by.rpartition("@")[0])
        for known_by, row in tables.inbox.items()
        if "@" in known_by
    }
    for payment_id, event_id in tables.quarantines.items():
        row = tables.inbox.get(event_id)
        is_its = row is not None and row[0] == payment_id
        if not is_its and (payment_id, event_id) not in apart:
            yield f"{payment_id} is quarantined for {event_id}, which is none of its events"
    for event_id, (payment_id, outcome) in tables.inbox.items():
        if outcome == "quarantined" and payment_id not in tables.quarantines:
            yield f"{event_id} is quarantined, but its payment {payment_id} is not"


def _publications(tables: Tables) -> Iterator[str]:
    """What is to be published is a version, of a publication, with its event's partition."""
    for placement in tables.placements:
        name = f"{placement.payment_id} version {placement.version}"
        if placement.partition is None:
            yield f"{name} is of publication {placement.publication_id}, which is missing"
        if placement.event_id is None:
            yield f"{name} is to be published, and the payment has no such version"
            continue
        position = tables.positions.get(placement.event_id)
        if position is None:
            continue
        if placement.partition is not None and placement.partition != position.partition:
            yield (
                f"{name} is published to partition {placement.partition}, "
                f"its event came from {position.partition}"
            )
