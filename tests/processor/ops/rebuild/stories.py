"""Payments to decide again, and what a rebuild leaves behind."""

from collections.abc import Sequence
from typing import Final

from ports.records import ConsumedRecord
from postgres.stores import Pool
from tests.support import database
from tests.support.builders import NOW, Log, object_of, payment
from tests.support.programs.operating import Operating
from tests.support.programs.stream_worker import Worker

ONE: Final = payment("rebuilt one")
TWO: Final = payment("rebuilt two")


def _stories(log: Log) -> Sequence[Sequence[ConsumedRecord]]:
    """Batches of three payments: one reported before creation, refunds, disputes, conflicts."""
    return (
        (log.webhook(ONE, "processing"), log.webhook(TWO, "succeeded")),
        (log.create(ONE), log.result(ONE)),
        (log.webhook(ONE, "succeeded"), log.create(TWO), log.webhook(TWO, "processing")),
        (log.webhook(TWO, "canceled", "evt_foreign", id=object_of(ONE)),),
        (log.command(ONE, "refund"),),
        (log.command(ONE, "cancel"), log.webhook(payment(), "succeeded", "evt_early")),
        (dispute(log, ONE),),
    )  # fmt: skip


def dispute(log: Log, payment_id: str) -> ConsumedRecord:
    """The provider's report of a dispute."""
    reported = {
        "id": "dp_1", "object": "dispute", "payment_intent": object_of(payment_id),
        "status": "needs_response", "amount": 1000, "currency": "eur", "reason": "fraudulent",
        "balance_transactions": [],
    }  # fmt: skip
    body = {
        "id": "evt_dispute", "type": "charge.dispute.created", "created": int(NOW.timestamp()),
        "livemode": False,
        "data": {"object": reported},
    }  # fmt: skip
    return log.event(payment_id, body)


async def live(operating: Operating, worker: Worker) -> None:
    """Has all of them processed: 12 inputs of 3 payments, of which 2 exist."""
    for records in _stories(Log()):
        await operating.process(worker, *records)


async def schemas(pool: Pool) -> set[str]:
    """The schemas that a rebuild has left."""
    found = await database.rows(
        pool, "select nspname from pg_namespace where nspname like 'rebuild%%'"
    )
    return {name for (name,) in found}
