"""The checks at rest: the invariants, the oracle, and the provider's objects."""

import re
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Sequence

from domain.status import DisputeStatus, Status
from domain.view import Snapshot, snapshot
from ports.records import RecordOffset
from postgres.documents import decode_payment
from processor.ops.invariants import check
from providers.stripe.disputes import DISPUTE_STATUS
from providers.stripe.refunds import REFUND_ID_KEY, REFUND_STATUS
from sandbox.stripe_simulator.objects.attempts import release_id
from sandbox.stripe_simulator.storage.store import decode
from sandbox.stripe_simulator.storage.types import JsonObject
from schemas.headers import EVENT_ID, ORIGINAL_OFFSET, ORIGINAL_PARTITION, ORIGINAL_TOPIC, as_text
from schemas.identity import provider_made_id
from schemas.topics import (
    DEAD_LETTERS,
    PROCESSOR_SOURCES,
    PROVIDER_WEBHOOKS,
    PROVIDER_WEBHOOKS_UNROUTED,
)
from tests.simulation.driving.client import Client
from tests.simulation.driving.webhook_delivery import FORGED
from tests.simulation.judging.evidence import gather
from tests.simulation.judging.violation import Violation
from tests.simulation.kafka.group import Group
from tests.simulation.kafka.log import Log, Logged
from tests.simulation.kafka.publishing import StateTopic
from tests.simulation.outside.provider import Execution, Provider
from tests.simulation.outside.strangers import is_theirs
from tests.simulation.postgres.database import Database

_PAYMENT_ID = re.compile(r"pay_[a-z2-7]{30}")
_AT_PROVIDER = {"succeeded": Status.SUCCEEDED, "canceled": Status.CANCELED}
_REFUNDS = "select body from objects where payment_intent = ? and kind = 'refund'"
_DISPUTES = "select body from objects where payment_intent = ? and kind = 'dispute'"
_WARNINGS = (
    "select body from objects where payment_intent = ? and kind = 'radar.early_fraud_warning'"
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
    waiting = {webhook.headers[EVENT_ID] for _, webhook in database.unrouted.values()}
    recorded = in_inbox | waiting | {found.partition("@")[0] for found in database.ignored}
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


def strangers_end_as_ignored(log: Log, database: Database) -> Iterator[Violation]:
    """L1: no event of another application's payment is a dead letter, or one of a payment."""
    reasons: dict[str, str] = {}
    for recorded, reason in database.ignored.items():
        reasons.setdefault(recorded.partition("@")[0], reason)
    for record in log.all((PROVIDER_WEBHOOKS_UNROUTED,)):
        event_id = as_text(record.headers)[EVENT_ID]
        if is_theirs(event_id) and not reasons.get(event_id):
            yield Violation("L1", "", f"{event_id} did not end as ignored")
    for record in log.all((DEAD_LETTERS, PROVIDER_WEBHOOKS)):
        event_id = as_text(record.headers).get(EVENT_ID, "")
        if is_theirs(event_id):
            yield Violation("L1", "", f"{event_id} is at {record.position}")


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


def one_object_per_operation(accounts: Iterable[Provider]) -> Iterator[Violation]:
    """S2: the provider executed each operation at most once, under any key, in any account."""
    done = Counter(_call(e) for p in accounts for e in p.executions if e.status in _DONE)
    for call, count in done.items():
        if count > 1:
            yield Violation("S2", call.partition(":")[0], f"{call} was executed {count} times")


def _call(execution: Execution) -> str:
    """The operation of an idempotency key, without the key's generation."""
    return execution.key.partition(".")[0]


def agrees_with_provider(provider: Provider, database: Database) -> Iterator[Violation]:
    """S4: every payment has the provider's status, amounts, refunds and disputes."""
    bodies = provider.world.store.rows("select body from objects where kind = 'payment_intent'")
    done = {_call(e) for e in provider.executions if e.status in _DONE}
    for (body,) in bodies:
        intent = decode(body)
        payment_id = intent["metadata"].get("payment_id", "")
        stored = database.payments.get(payment_id)
        if stored is None:
            yield Violation("S2", payment_id, f"{intent['id']} belongs to no payment")
            continue
        if stored.provider != provider.owner.name:
            what = f"it is of {stored.provider}, and has {intent['id']} in {provider.owner.name}"
            yield Violation("S12", payment_id, what)
            continue
        here = stored.status, stored.captured, stored.object_id
        there = _status(intent, done), intent["amount_received"], intent["id"]
        if here != there:
            yield Violation("S4", payment_id, f"it is {here}, at the provider {there}")
        view = snapshot(decode_payment(stored.document))
        yield from _refunds(provider, payment_id, intent, view)
        yield from _other_money(provider, payment_id, intent["id"], view)


def _refunds(
    provider: Provider, payment_id: str, intent: JsonObject, view: Snapshot
) -> Iterator[Violation]:
    """S4: what was given back is the provider's, and so are the refunds that its events name.

    A released authorization is none. Where events have totals alone, what they exceed the named
    refunds by is one refund under the charge's ID.
    """
    real = _real_refunds(provider, intent)
    given = sum(refund["amount"] for refund in real if refund["status"] == "succeeded")
    if view.amounts.refunded != min(given, view.amounts.captured):
        what = f"{view.amounts.refunded} is refunded, at the provider {given}"
        yield Violation("S4", payment_id, what)
    there = {
        r["metadata"].get(REFUND_ID_KEY) or provider_made_id("ref", "stripe", r["id"]): r["status"]
        for r in real
    }
    expected = {refund_id: REFUND_STATUS[status] for refund_id, status in there.items()}
    here = {r.id: r.status for r in view.refunds if r.failure is None or r.id in expected}
    if not provider.versions.names_refunds:
        ours = {r["metadata"].get(REFUND_ID_KEY) for r in real}
        total = provider_made_id("ref", "stripe", intent["latest_charge"] or "")
        here.pop(total, None)
        unnamed = expected.keys() - here.keys() - ours
        expected = {i: status for i, status in expected.items() if i not in unnamed}
    if here != expected:
        yield Violation("S4", payment_id, f"its refunds are {here}, at the provider {expected}")


def _real_refunds(provider: Provider, intent: JsonObject) -> list[JsonObject]:
    """The provider's refunds, without the objects of released authorizations."""
    world = provider.world
    refunds = [decode(body) for (body,) in world.store.rows(_REFUNDS, (intent["id"],))]
    return [r for r in refunds if r["id"] != release_id(world, {"id": r["charge"]})]


def _other_money(
    provider: Provider, payment_id: str, intent_id: str, view: Snapshot
) -> Iterator[Violation]:
    """S4: disputes and warnings are the provider's, with their money and deadlines."""
    disputes = dict[str, DisputeStatus]()
    for (body,) in provider.world.store.rows(_DISPUTES, (intent_id,)):
        there = decode(body)
        dispute_id = provider_made_id("dis", "stripe", there["id"])
        disputes[dispute_id] = DISPUTE_STATUS[there["status"]]
        here = next((d for d in view.disputes if d.id == dispute_id), None)
        if here is None:
            continue  # its status is missing too
        balances: Counter[str] = Counter()
        for moved in there["balance_transactions"]:
            balances[moved["currency"].upper()] += moved["amount"]
        shown = {f.currency: f.reinstated + f.adjusted - f.withdrawn for f in here.funds}
        due_by = there["evidence_details"]["due_by"]
        late = here.respond_by is not None and int(here.respond_by.timestamp()) != due_by
        if shown != balances or here.currency != there["currency"].upper() or late:
            yield Violation("S4", payment_id, f"its dispute is {here}, the provider's {there}")
    if {d.id: d.status for d in view.disputes} != disputes:
        yield Violation("S4", payment_id, f"its disputes are not {disputes}")
    warnings = {
        provider_made_id("fw", "stripe", decode(body)["id"]): decode(body)["actionable"]
        for (body,) in provider.world.store.rows(_WARNINGS, (intent_id,))
    }
    if {w.id: w.actionable for w in view.fraud_warnings} != warnings:
        yield Violation("S4", payment_id, f"its fraud warnings are not {warnings}")


def _status(intent: JsonObject, done: Container[str]) -> Status | None:
    """The payment's status; ``done`` are the calls that the provider carried out."""
    last_cancel = f"{intent['metadata'].get('payment_id')}:cancel:exhausted"
    if intent["status"] == "canceled" and last_cancel in done:
        return Status.FAILED
    return _AT_PROVIDER.get(intent["status"])
