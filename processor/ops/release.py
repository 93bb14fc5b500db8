"""The record that takes a hold off its payment. It goes through the log, like everything else."""

from datetime import datetime

from ports.producer_record import ProducerRecord
from postgres.operator import Hold
from schemas.commands import ReleasePayment
from schemas.identity import release_event_id
from schemas.topics import PAYMENT_COMMANDS


def event_id(hold: Hold) -> str:
    """The same for one hold, however often its release is asked for."""
    return release_event_id(hold.payment_id, hold.event_id, hold.held_at)


def release(hold: Hold, now: datetime) -> ProducerRecord:
    """The release of this hold, as a record of ``payment-commands``."""
    record = ReleasePayment(
        event_id=event_id(hold),
        payment_id=hold.payment_id,
        held_event_id=hold.event_id,
        held_at=hold.held_at,
        received_at=now,
    )
    key, value = hold.payment_id.encode(), record.model_dump_json().encode()
    return ProducerRecord(PAYMENT_COMMANDS, key, value, ())
