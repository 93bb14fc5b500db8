"""The webhook of every event type, through the whole service, has its documented effect."""

import asyncio
import json

import pytest

from processor.ops import invariants
from providers.stripe.translate import TRANSLATORS
from tests.service.events.batch import Batch, event_of, play
from tests.service.events.rows import Effect, Row
from tests.service.events.table import MODELLED_ROWS, PAYOUT, ROWS, UNMODELLED_ROWS
from tests.service.events.webhooks import Json
from tests.service.stack import running_service

BY_NAME = pytest.mark.parametrize(("name", "row"), ROWS.items(), ids=ROWS.keys())


@pytest.fixture(scope="module")
def batch(tmp_path_factory: pytest.TempPathFactory) -> Batch:
    """All rows, run once on a separate service."""
    with running_service(tmp_path_factory.mktemp("event_types")) as stack:
        return asyncio.run(play(stack))


def test_every_type_of_the_adapter_has_a_row() -> None:
    """Every type of the adapter has a row with its effect, and no other type has one."""
    assert {row.report.type for row in MODELLED_ROWS.values()} == TRANSLATORS.keys()
    without_effect = {row.report.type for row in UNMODELLED_ROWS.values()}
    # where refunds have events of their own, the charge's counts nothing
    assert TRANSLATORS.keys() & without_effect == {"charge.refunded"}
    assert PAYOUT.type not in TRANSLATORS


@BY_NAME
def test_the_client_reads_the_documented_effect(batch: Batch, name: str, row: Row) -> None:
    """Status, amounts, next action, refunds and disputes; a new version if they changed."""
    played, effect = batch.row(name), row.effect
    assert shown(played.after) == expected(effect)
    assert played.after["provider_object_id"] == played.object_id
    if effect.visible:
        assert played.after["version"] == played.before["version"] + 1
    else:
        assert played.after == played.before


@BY_NAME
def test_the_timeline_has_its_outcome(batch: Batch, name: str, row: Row) -> None:
    """The entry has the outcome, the change of status and the resulting provider calls."""
    played, effect = batch.row(name), row.effect
    (entry,) = [e for e in played.timeline["entries"] if event_of(e) == played.event_id]
    assert (entry["kind"], entry["outcome"]) == (f"stripe.{row.report.type}", effect.outcome)
    moved = effect.came_from and {"source": effect.came_from, "target": effect.status}
    assert entry["transition"] == moved
    assert played.timeline["version"] == played.after["version"]
    assert [c["operation"] for c in played.timeline["calls"]] == ["create", *effect.calls]


@BY_NAME
def test_the_inbox_has_its_outcome_and_the_reason(batch: Batch, name: str, row: Row) -> None:
    """The inbox agrees with the timeline. The reason names the fact that superseded it."""
    played, effect = batch.row(name), row.effect
    kind, outcome, reason, version = batch.inbox[played.event_id]
    assert (kind, outcome) == (f"stripe.{row.report.type}", effect.outcome)
    assert effect.reason in reason
    assert (str(played.event_before) in reason) is effect.names_previous
    (entry,) = [e for e in played.timeline["entries"] if event_of(e) == played.event_id]
    assert (entry["reason"], entry["version"]) == (reason, version)


@BY_NAME
def test_the_last_record_equals_the_row(batch: Batch, name: str, row: Row) -> None:
    """The last record of payment-state equals Postgres byte by byte, and what the client reads."""
    del row
    played = batch.row(name)
    newest = batch.evidence.versions[played.payment_id][-1]
    stored = batch.evidence.payments[played.payment_id]
    assert batch.evidence.published[played.payment_id] == invariants.digest(stored.snapshot)
    assert {**json.loads(stored.snapshot), "quarantined": False} == played.after
    amounts = played.after["amounts"]
    assert (stored.status, stored.version) == (played.after["status"], newest.version)
    assert (stored.authorized, stored.captured, stored.refunded) == tuple(amounts.values())


def test_a_type_without_effect_is_counted(batch: Batch) -> None:
    """Each sent event is counted once, by its type."""
    types = [*(row.report.type for row in UNMODELLED_ROWS.values()), PAYOUT.type]
    assert batch.counted == dict.fromkeys(types, 1.0)


def test_an_event_about_no_payment_is_recorded_as_ignored(batch: Batch) -> None:
    """It is recorded with its reason, outside of the inbox, because it belongs to no payment."""
    assert batch.ignored == {
        batch.payout: ("payout.paid", "this type of event has no effect on a payment")
    }
    assert batch.payout not in batch.inbox
    assert batch.evidence.payments.keys() == {batch.row(name).payment_id for name in ROWS}


def test_every_invariant_holds(batch: Batch) -> None:
    """All hold but L1, because calls to the unreachable provider wait."""
    found = {code: v for code, v in invariants.check(batch.evidence).items() if v}
    assert found.keys() <= {"L1"}, found
    assert not batch.evidence.dead_letters
    assert not batch.evidence.unrouted


def shown(payment: Json) -> Json:
    """The parts of a payment, as a client reads it, that events may change."""
    failure = payment["failure"]
    return {
        "status": payment["status"],
        "amounts": payment["amounts"],
        "next_action": payment["next_action"],
        "failure": failure and failure["code"],
        "refunds": [_without_id(each) for each in payment["refunds"]],
        "disputes": [_without_id(each) for each in payment["disputes"]],
        "fraud_warnings": [_without_id(each) for each in payment["fraud_warnings"]],
    }


def expected(effect: Effect) -> Json:
    """The same parts, from the table."""
    return {
        "status": effect.status,
        "amounts": {"authorized": 0, "captured": 0, "refunded": 0, **effect.amounts},
        "next_action": effect.next_action,
        "failure": effect.failure,
        "refunds": list(effect.refunds),
        "disputes": list(effect.disputes),
        "fraud_warnings": list(effect.fraud_warnings),
    }


def _without_id(each: Json) -> Json:
    """A refund or a dispute without its ID, and with its failure's code only."""
    shown = {name: value for name, value in each.items() if name != "id"}
    return {**shown, "failure": shown["failure"]["code"]} if shown.get("failure") else shown
