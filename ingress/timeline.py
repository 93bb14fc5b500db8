"""A payment's stored history, as the API tells it."""

from processor.domain.status import Outcome, Status
from processor.store.reads import Call, Entry, History, Standing
from schemas.http import CallEntry, Timeline, TimelineEntry, TransitionEntry


def timeline(payment_id: str, history: History) -> Timeline:
    """Everything that was ever said about one payment, oldest first."""
    return Timeline(
        payment_id=payment_id,
        status=Status(history.standing.status),
        version=history.standing.version,
        held=_held(history.standing),
        entries=tuple(_entry(entry) for entry in history.entries),
        calls=tuple(_call(call) for call in history.calls),
    )


def _held(standing: Standing) -> str | None:
    """A sentence for the client; the error itself is the operator's to read."""
    if standing.held_at is None:
        return None
    return (
        f"held since {standing.held_at.isoformat()}: event {standing.held_event_id} could not be "
        "processed; what comes after it waits for an operator"
    )


def _entry(entry: Entry) -> TimelineEntry:
    transition = None
    if entry.target is not None:
        source = None if entry.source is None else Status(entry.source)
        transition = TransitionEntry(source=source, target=Status(entry.target))
    return TimelineEntry(
        event_id=entry.event_id,
        kind=entry.kind,
        outcome=Outcome(entry.outcome),
        reason=entry.reason,
        transition=transition,
        version=entry.version,
        topic=entry.topic,
        partition=entry.partition,
        offset=entry.offset,
        received_at=entry.received_at,
        recorded_at=entry.recorded_at,
    )


def _call(call: Call) -> CallEntry:
    return CallEntry.model_validate(call, from_attributes=True)
