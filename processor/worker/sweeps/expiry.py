"""Expires payments whose customer did not act in time."""

from collections.abc import Callable
from datetime import datetime

from structlog.contextvars import bound_contextvars

from ports.producer_record import ProducerRecord
from ports.stores import RecordSender, SweepStore
from ports.work_items import DuePayment
from processor.worker.sweeps.expiries import Expiries
from processor.worker.sweeps.sweep import Turn
from runtime.logs import get_logger
from runtime.tasks import ANY_ERROR
from schemas import identity
from schemas.commands import CancelPayment
from schemas.topics import PAYMENT_COMMANDS

log = get_logger(__name__)


class ExpirySweep:
    """Publishes a cancel command for each due payment, page by page, the earliest first.

    Args:
        store: the due payments.
        sender: publishes the commands.
        page: payments per page.
        clock: the current time in UTC.
    """

    def __init__(
        self, store: SweepStore, sender: RecordSender, page: int, clock: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._sender = sender
        self._page = page
        self._clock = clock
        self._expiries = Expiries()

    async def run(self, turn: Turn) -> None:
        """Asks every payment that is due now and was not asked before."""
        now = self._clock()
        after: DuePayment | None = None
        self._expiries.begin()
        while True:
            turn.step()
            rows = await self._store.expired(now, after, self._page)
            await self._ask([row for row in rows if self._expiries.is_due(row.payment_id, now)])
            if len(rows) < self._page or self._expiries.is_full:
                break
            after = rows[-1]
        self._expiries.end()

    async def _ask(self, due: list[DuePayment]) -> None:
        now = self._clock()
        commands = []
        for row in due:
            with bound_contextvars(payment_id=row.payment_id):
                try:
                    commands.append(expiry(row.payment_id, row.tenant, row.version, now))
                except ANY_ERROR:
                    log.exception("payment.expiry_failed")
        if commands:
            await self._sender.send(commands)
        self._expiries.remember((row.payment_id for row in due), now)


def expiry(payment_id: str, tenant: str, version: int, now: datetime) -> ProducerRecord:
    """Returns the command that expires a payment. Its event ID is the same for the same version."""
    operation_id = identity.operation_id(tenant, payment_id, "expire", str(version))
    fingerprint = identity.fingerprint({"cause": "expired"})
    command = CancelPayment(
        event_id=identity.command_event_id(operation_id, fingerprint),
        payment_id=payment_id,
        tenant=tenant,
        operation_id=operation_id,
        fingerprint=fingerprint,
        received_at=now,
        cause="expired",
    )
    return ProducerRecord(
        PAYMENT_COMMANDS, payment_id.encode(), command.model_dump_json().encode(), ()
    )
