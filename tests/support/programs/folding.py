"""Folds records into write sets, and turns write sets into read sets like the store."""

from collections.abc import Iterable
from typing import Final

import pytest

from decisions import fold as folding
from decisions.fold import fold
from domain import decide as deciding
from domain.decision import Decision
from domain.inputs import Input
from domain.payment import Payment
from domain.status import WAITING, Status
from ports.batch import InboxEntry, InboxRow, ReadSet, WriteSet
from ports.records import ConsumedRecord
from tests.support.builders import payment, received

ONE: Final = payment("one")
TWO: Final = payment("two")
NOTHING: Final = ReadSet(payments={}, known={}, quarantined=frozenset(), parked={}, owners={})


def folded(*records: ConsumedRecord, known: ReadSet = NOTHING) -> WriteSet:
    """The write set of one batch of these records."""
    return fold(known, [received(record) for record in records])


def stored(*plans: WriteSet) -> ReadSet:
    """The read set after these write sets; each batch is one publication."""
    payments: dict[str, Payment] = {}
    known: dict[str, InboxEntry] = {}
    quarantined: set[str] = set()
    rows: dict[str, InboxRow] = {}
    for number, plan in enumerate(plans, start=1):
        payments |= plan.payments
        quarantined = quarantined - plan.released | plan.quarantines.keys()
        for gone in (*plan.superseded, *(row.waits_as for row in plan.inbox if row.waits_as)):
            known.pop(gone)
            rows.pop(gone)
        for row in sorted(plan.inbox, key=lambda row: row.ordinal):  # as they are taken up
            publication = number if row.version is not None else None
            position = row.received.record.position
            known[row.event_id] = InboxEntry(position, row.outcome, publication)
            rows[row.event_id] = row
    parked = {
        payment_id: tuple(
            row.received
            for row in rows.values()
            if row.outcome in WAITING and row.received.payment_id == payment_id
        )
        for payment_id in {row.received.payment_id for row in rows.values()}
    }
    owners = {(p.provider, p.object_id): p.id for p in payments.values() if p.object_id}
    return ReadSet(
        payments=payments,
        known=known,
        quarantined=frozenset(quarantined),
        parked=parked,
        owners=owners,
    )


def outcomes(plan: WriteSet) -> list[tuple[str, str]]:
    """Topic and outcome of each row, in order."""
    return [(row.received.record.position.topic, str(row.outcome)) for row in plan.inbox]


def versions(plan: WriteSet) -> list[tuple[int, Status | None, Status]]:
    """Number, status before and status of each new version, in order."""
    return [(v.payment.version, v.previous_status, v.payment.status) for v in plan.versions]


def fail_on(monkeypatch: pytest.MonkeyPatch, payment_id: str, event_ids: Iterable[str]) -> None:
    """Makes our code fail on these events of this payment."""
    on = set(event_ids)

    def defective(before: Payment | None, input_: Input, its_id: str) -> Decision:
        if its_id == payment_id and input_.event_id in on:
            raise ZeroDivisionError("a defect")
        return deciding.decide(before, input_, its_id)

    monkeypatch.setattr(folding, "decide", defective)
