"""The record that releases a quarantined payment. It goes through the log like every input."""

from datetime import datetime

from ports.producer_record import ProducerRecord
from postgres.ops.operator import Quarantine
from schemas.commands import ReleasePayment
from schemas.identity import release_event_id
from schemas.topics import PAYMENT_COMMANDS


def event_id(quarantine: Quarantine) -> str:
    """Returns the event ID of the release. It is always the same for one quarantine."""
    return release_event_id(quarantine.payment_id, quarantine.event_id, quarantine.quarantined_at)


def release_record(quarantine: Quarantine, now: datetime) -> ProducerRecord:
    """Returns the release of this quarantine as a record of ``payment-commands``."""
    record = ReleasePayment(
        event_id=event_id(quarantine),
        payment_id=quarantine.payment_id,
        quarantined_event_id=quarantine.event_id,
        quarantined_at=quarantine.quarantined_at,
        received_at=now,
    )
    key, value = quarantine.payment_id.encode(), record.model_dump_json().encode()
    return ProducerRecord(PAYMENT_COMMANDS, key, value, ())
