"""The checks at rest: the invariants, the oracle, and the provider's objects."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from domain.status import DisputeStatus, RefundStatus, Status
from domain.view import snapshot
from ports.records import RecordOffset
from postgres.documents import decode_payment
from processor.ops.invariants import check
from providers.stripe.translate import DISPUTE_STATUS, REFUND_ID_KEY, REFUND_STATUS
from sandbox.stripe_simulator.storage.store import decode
from sandbox.stripe_simulator.storage.types import JsonObject
from schemas.headers import ORIGINAL_OFFSET, ORIGINAL_PARTITION, ORIGINAL_TOPIC, as_text
from schemas.identity import provider_made_id
from schemas.topics import DEAD_LETTERS, PROCESSOR_SOURCES
from tests.simulation.driving.client import Client
from tests.simulation.driving.webhook_delivery import FORGED
from tests.simulation.judging.evidence import gather
from tests.simulation.judging.violation import Violation
from tests.simulation.kafka.group import Group
from tests.simulation.kafka.log import Log, Logged
from tests.simulation.kafka.publishing import StateTopic
from tests.simulation.outside.provider import Execution, Provider
from tests.simulation.postgres.database import Database

_PAYMENT_ID = re.compile(r"pay_[a-z2-7]{30}")
_AT_PROVIDER = {"succeeded": Status.SUCCEEDED, "canceled": Status.CANCELED}
_PARTS = (
    "select kind, body from objects o where payment_intent = ? and kind in ('refund', 'dispute')"
    " and exists (select 1 from events e where e.object_id = o.id)"
)
#: Statuses of calls that had an effect. A 400 had none; a 500 is recorded by its real outcome.
_DONE = {200, 402}


def invariants(
    log: Log, database: Database, state: StateTopic, group: Group
) -> Iterator[Violation]:
    """S1, S2, S3, S5, S6, S8 and L1, checked by the audit's own code."""
    for code, found in check(gather(log, database, state, group)).items():
        for what in found:
            about = _PAYMENT_ID.search(what)
            yield Violation(code, about[0] if about else "", what)


def accepted_is_logged(accepted: Sequence[str], database: Database) -> Iterator[Violation]:
    """S1: everything answered 2xx is in the log, so it has an outcome."""
    in_inbox = {row.received.event_id for row in database.inbox.values()}
    recorded = in_inbox | database.unrouted.keys() | database.ignored.keys()
    for event_id in dict.fromkeys(accepted):
        if event_id not in recorded:
            yield Violation("S1", "", f"{event_id} was accepted, and has no outcome")


def nothing_is_quarantined(database: Database) -> Iterator[Violation]:
    """L1: every quarantine is released after the cause is fixed."""
    for payment_id, quarantine in database.quarantines.items():
        yield Violation("L1", payment_id, f"it is quarantined: {quarantine.error}")


def calls_are_written_with_their_payment(database: Database) -> Iterator[Violation]:
    """S6: a payment and its provider calls are written together."""
    decided = {
        key for row in database.payments.values() for key in decode_payment(row.document).calls
    }
    for key in sorted(decided ^ database.calls.keys()):
        what = "has no row" if key in decided else "is of no payment"
        yield Violation("S6", key.partition(":")[0], f"the call {key} {what}")


def dead_letters_are_sent(log: Log, database: Database) -> Iterator[Violation]:
    """S1: every recorded dead letter is on the topic, where an operator can see it."""
    sent = {_original(record) for record in log.all((DEAD_LETTERS,))}
    for position in database.dead_letters:
        if position not in sent:
            yield Violation("S1", "", f"{position} is not on {DEAD_LETTERS}")


def _original(letter: Logged) -> RecordOffset:
    named = as_text(letter.headers)
    partition, offset = named[ORIGINAL_PARTITION], named[ORIGINAL_OFFSET]
    return RecordOffset(named[ORIGINAL_TOPIC], int(partition), int(offset))


def forgeries_have_no_effect(log: Log, accepted_forgeries: Sequence[str]) -> Iterator[Violation]:
    """S10: no forged webhook was accepted, and none is in the log."""
    for what in accepted_forgeries:
        yield Violation("S10", "", what)
    for record in log.all(PROCESSOR_SOURCES):
        if FORGED.encode() in record.value:
            yield Violation("S10", "", f"a forged webhook is at {record.position}")


def same_key_same_payment(clients: Sequence[Client]) -> Iterator[Violation]:
    """S9: all requests with one key return the same payment."""
    for client in clients:
        if client.returned_ids - {client.payment_id}:
            yield Violation("S9", client.payment_id, f"the responses name {client.returned_ids}")


def one_object_per_operation(provider: Provider) -> Iterator[Violation]:
    """S2: the provider executed each operation at most once, under any key."""
    done = Counter(_call(e) for e in provider.executions if e.status in _DONE)
    for call, count in done.items():
        if count > 1:
            yield Violation("S2", call.partition(":")[0], f"{call} was executed {count} times")


def _call(execution: Execution) -> str:
    """The operation of an idempotency key, without the key's generation."""
    return execution.key.partition(".")[0]


def agrees_with_provider(provider: Provider, database: Database) -> Iterator[Violation]:
    """S4: every payment has the provider's status, amounts, refunds and disputes."""
    bodies = provider.world.store.rows("select body from objects where kind = 'payment_intent'")
    for (body,) in bodies:
        intent = decode(body)
        payment_id = intent["metadata"].get("payment_id", "")
        stored = database.payments.get(payment_id)
        if stored is None:
            yield Violation("S2", payment_id, f"{intent['id']} belongs to no payment")
            continue
        here = stored.status, stored.captured, stored.object_id
        there = _status(intent), intent["amount_received"], intent["id"]
        if here != there:
            yield Violation("S4", payment_id, f"it is {here}, at the provider {there}")
        view = snapshot(decode_payment(stored.document))
        parts: dict[str, RefundStatus | DisputeStatus] = {
            r.id: r.status for r in view.refunds if r.failure is None or r.reversed
        }
        parts |= {d.id: d.status for d in view.disputes}
        if parts != dict(_parts(provider, intent["id"])):
            yield Violation(
                "S4", payment_id, f"its refunds and disputes are {parts}, the provider has others"
            )


def _status(intent: JsonObject) -> Status | None:
    if intent["status"] == "canceled" and intent["cancellation_reason"] == "abandoned":
        return Status.FAILED
    return _AT_PROVIDER.get(intent["status"])


def _parts(
    provider: Provider, intent_id: str
) -> Iterator[tuple[str, RefundStatus | DisputeStatus]]:
    """Refunds and disputes by our IDs, without released authorizations, which have no events."""
    for kind, body in provider.world.store.rows(_PARTS, (intent_id,)):
        part = decode(body)
        if kind == "dispute":
            yield provider_made_id("dis", "stripe", part["id"]), DISPUTE_STATUS[part["status"]]
        else:
            requested = part["metadata"].get(REFUND_ID_KEY)
            refund_id = requested or provider_made_id("ref", "stripe", part["id"])
            yield refund_id, REFUND_STATUS[part["status"]]
