"""Turns a payment's stored history into the answer of the API."""

import re
from typing import Final

from domain.status import Outcome, Status
from ingress.routes import cursors
from postgres.timeline import Call, CurrentStatus, History, InputOutcome
from schemas.http import CallEntry, Timeline, TimelineEntry, TransitionEntry
from schemas.identity import PAYMENT_ID_PATTERN

_PAYMENT_ID: Final = re.compile(PAYMENT_ID_PATTERN.strip("^$"))


def timeline(payment_id: str, history: History) -> Timeline:
    """Returns a page of the payment's inputs and provider calls, oldest first."""
    return Timeline(
        payment_id=payment_id,
        status=Status(history.standing.status),
        version=history.standing.version,
        quarantined=history.standing.quarantined_at is not None,
        quarantine=_quarantine_text(history.standing),
        entries=tuple(_entry(payment_id, entry) for entry in history.entries),
        calls=tuple(_call(payment_id, call) for call in history.calls),
        next_cursor=None if history.end is None else cursors.encode_timeline(history.end),
    )


def _quarantine_text(standing: CurrentStatus) -> str | None:
    """Returns a sentence for the client. The error itself is for the operator."""
    if standing.quarantined_at is None:
        return None
    return (
        f"quarantined since {standing.quarantined_at.isoformat()}: event "
        f"{standing.quarantined_event_id} could not be processed; what comes after it waits for an "
        "operator"
    )


def shown_reason(payment_id: str, outcome: str, reason: str) -> str:
    """Returns the reason for the tenant, without the text of an unforeseen error."""
    if outcome == Outcome.QUARANTINED:
        return "an unforeseen error; it waits for an operator"
    return _hide_other_payments(payment_id, reason)


def _hide_other_payments(payment_id: str, text: str) -> str:
    """Returns the text without the IDs of other payments, which may be another tenant's."""
    return _PAYMENT_ID.sub(
        lambda found: found[0] if found[0] == payment_id else "(another payment)", text
    )


def _entry(payment_id: str, entry: InputOutcome) -> TimelineEntry:
    transition = None
    if entry.target is not None:
        source = None if entry.source is None else Status(entry.source)
        transition = TransitionEntry(source=source, target=Status(entry.target))
    return TimelineEntry(
        event_id=entry.event_id,
        kind=entry.kind,
        outcome=Outcome(entry.outcome),
        reason=shown_reason(payment_id, entry.outcome, entry.reason),
        transition=transition,
        version=entry.version,
        topic=entry.topic,
        partition=entry.partition,
        offset=entry.offset,
        received_at=entry.received_at,
        recorded_at=entry.recorded_at,
    )


def _call(payment_id: str, call: Call) -> CallEntry:
    entry = CallEntry.model_validate(call, from_attributes=True)
    error = None if entry.last_error is None else _hide_other_payments(payment_id, entry.last_error)
    return entry.model_copy(update={"last_error": error})
