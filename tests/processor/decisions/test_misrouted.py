"""A webhook that names one payment but has another one's object goes to the other one."""

from collections.abc import Callable
from datetime import timedelta
from typing import LiteralString

import pytest

from ports.records import ConsumedRecord
from postgres.stores import Pool, PostgresHistory
from processor.worker.router import NEVER_OURS
from schemas.headers import as_text
from tests.support import database
from tests.support.builders import Clock, Log, event_body, object_of, payment
from tests.support.programs.routing import MAX_AGE_S, Routing, ignored
from tests.support.programs.stream_worker import Group

pytestmark = pytest.mark.anyio

ABOUT: dict[str, Callable[[Log, str], ConsumedRecord]] = {
    "a refund": lambda log, meant: log.refund_event(meant, "re_1", "succeeded", 300),
    "the payment": lambda log, meant: log.webhook(meant, "succeeded", "evt_meant"),
}

#: What keeps a payment from taking inputs: it is quarantined, or is as soon as it takes its next.
QUARANTINED: dict[str, LiteralString] = {
    "quarantined": "insert into quarantines values (%s, 'evt', 'x', now()) returning 1",
    "unreadable": "update payments set document = '{}' where payment_id = %s returning 1",
}


def _under(log: Log, payment_id: str, record: ConsumedRecord) -> ConsumedRecord:
    """Returns the same webhook with this payment's key."""
    named = {name.replace("-", "_"): text for name, text in record.headers.items()}
    return log.append(record.position.topic, payment_id.encode(), record.value, **named)


@pytest.mark.parametrize("what", ABOUT)
async def test_the_payment_that_owns_the_object_gets_the_webhook(
    group: Group, pool: Pool, clock: Clock, what: str
) -> None:
    """Metadata may name any payment, but an object belongs to one.

    For the wrong payment it is a conflict that does not use up its event ID. It is routed once.
    """
    log, named, meant = Log(), payment(), payment()
    routing = Routing(pool, clock)
    async with group.worker(0) as worker:
        for each in (named, meant):
            await worker.process(log.create(each), log.result(each))
        about = ABOUT[what](log, meant)
        wrong = _under(log, named, about)
        await worker.process(wrong)
        assert await group.outcomes(wrong) == ["conflict"]
        await routing.router.route_waiting()
        (sent,) = routing.outbox.records
        assert (sent.key, sent.value) == (meant.encode(), about.value)
        assert as_text(sent.headers) == about.headers
        routed = _under(log, meant, about)
        await worker.process(routed)
        assert await group.outcomes(routed) == ["applied"]
        await routing.router.route_waiting()
        assert len(routing.outbox.records) == 1


@pytest.mark.parametrize("named", ["none that exists", *QUARANTINED])
async def test_no_other_payments_name_hides_a_webhook_from_the_objects_owner(
    group: Group, pool: Pool, clock: Clock, named: str
) -> None:
    """Neither the name of a payment that never comes, nor of one that takes no inputs."""
    log, other, meant = Log(), payment(), payment()
    routing = Routing(pool, clock)
    async with group.worker(0) as worker:
        await worker.process(log.create(meant), log.result(meant))
        if named in QUARANTINED:
            await worker.process(log.create(other), log.result(other))
            assert await database.rows(pool, QUARANTINED[named], other)
        about = log.refund_event(meant, "re_1", "succeeded", 300)
        wrong = _under(log, other, about)
        await worker.process(wrong)
        assert await group.outcomes(wrong) == ["conflict"]
        await routing.router.route_waiting()
        (sent,) = routing.outbox.records
        assert (sent.key, sent.value) == (meant.encode(), about.value)


async def test_a_result_with_another_payments_object_is_not_routed(
    group: Group, pool: Pool
) -> None:
    """It belongs to the payment of its call, so another payment's object is a conflict."""
    log, one, other = Log(), payment(), payment()
    async with group.worker(0) as worker:
        await worker.process(log.create(one), log.result(one), log.create(other))
        wrong = log.result(other, object_id=object_of(one))
        await worker.process(wrong)
        assert await group.outcomes(wrong) == ["conflict"]
    assert await database.rows(pool, "select event_id from unrouted") == []


#: What the named payment is, whose object it certainly is not.
REFUSAL = {"code": "card_declined", "message": "No."}
NAMED: dict[str, Callable[[Log, str], list[ConsumedRecord]]] = {
    "has an object of its own": lambda log, named: [log.create(named), log.result(named)],
    "was refused": lambda log, named: [
        log.create(named),
        log.result(named, outcome="refused", object_id=None, refusal=REFUSAL),
    ],
    "is in another currency": lambda log, named: [log.create(named, currency="JPY")],
}


def _without_key(log: Log, payment_id: str) -> ConsumedRecord:
    body = event_body(payment_id, "succeeded", f"evt_{payment_id}")
    return log.event(payment_id, body | {"request": None})


@pytest.mark.parametrize("named", NAMED)
async def test_a_payment_gets_what_named_another_one_before_its_object_was_known(
    group: Group, pool: Pool, clock: Clock, named: str
) -> None:
    """Its create may have no answer yet. The wrong payment's conflict leaves it the event ID."""
    log, wrong, meant = Log(), payment(), payment()
    routing = Routing(pool, clock)
    about = _without_key(log, meant)
    misled = _under(log, wrong, about)
    async with group.worker(0) as worker:
        await worker.process(*NAMED[named](log, wrong), misled)
        assert await group.outcomes(misled) == ["conflict"]
        await routing.router.route_waiting()
        assert routing.outbox.records == []
        await worker.process(log.create(meant), log.result(meant))
        await routing.router.route_waiting()
        (sent,) = routing.outbox.records
        assert (sent.key, sent.value) == (meant.encode(), about.value)
        routed = _under(log, meant, about)
        await worker.process(routed)
        assert await group.outcomes(misled, routed) == ["conflict", "applied"]
    assert await database.rows(pool, "select event_id from unrouted") == []


async def test_a_quarantine_keeps_nothing_from_a_payment_that_comes_to_have_the_object(
    group: Group, pool: Pool, clock: Clock
) -> None:
    """What is certainly not about the quarantined payment does not wait for its release."""
    log, wrong, meant = Log(), payment(), payment()
    routing = Routing(pool, clock)
    misled = _under(log, wrong, _without_key(log, meant))
    async with group.worker(0) as worker:
        await worker.process(log.create(wrong), log.result(wrong))
        assert await database.rows(pool, QUARANTINED["quarantined"], wrong)
        await worker.process(misled)
        assert await group.outcomes(misled) == ["conflict"]
        await worker.process(log.create(meant), log.result(meant))
    await routing.router.route_waiting()
    assert [sent.key for sent in routing.outbox.records] == [meant.encode()]


async def test_what_names_another_payment_goes_to_the_payment_whose_call_it_echoes(
    group: Group, pool: Pool, clock: Clock
) -> None:
    """At once: the key proves whose object it is, so nothing else may make it known."""
    log, wrong, meant = Log(), payment(), payment()
    routing = Routing(pool, clock)
    proof = log.webhook(meant, "succeeded", f"evt_{meant}")
    async with group.worker(0) as worker:
        await worker.process(log.create(wrong), log.result(wrong), log.create(meant))
        await worker.process(_under(log, wrong, proof))
        await routing.router.route_waiting()
        (sent,) = routing.outbox.records
        assert sent.key == meant.encode()
        routed = _under(log, meant, proof)
        await worker.process(routed)
    assert await group.outcomes(routed) == ["applied"]


async def test_what_no_payment_ever_has_the_object_of_is_forgotten(
    group: Group, pool: Pool, clock: Clock
) -> None:
    """It waits no longer than any webhook without a payment."""
    log, wrong = Log(), payment()
    routing = Routing(pool, clock)
    theirs = _under(log, wrong, _without_key(log, payment()))
    async with group.worker(0) as worker:
        await worker.process(log.create(wrong), log.result(wrong), theirs)
    clock.forward(MAX_AGE_S + 1)
    await routing.router.route_waiting()
    assert routing.outbox.records == []
    assert await database.rows(pool, "select event_id from unrouted") == []
    ((_, kind, reason),) = await ignored(pool)
    assert (kind, reason) == ("payment_intent.succeeded", NEVER_OURS)


ECHOED: dict[str, Callable[[Log, str], list[ConsumedRecord]]] = {
    "capture:1": NAMED["has an object of its own"],
    "create": NAMED["was refused"],
}


@pytest.mark.parametrize("call", ECHOED)
async def test_what_echoes_a_call_of_the_payment_that_refused_it_ends(
    group: Group, pool: Pool, clock: Clock, call: str
) -> None:
    """Anybody can send a key of ours: what the payment refused is not sent to it again."""
    log, named = Log(), payment()
    routing = Routing(pool, clock)
    body = event_body(payment(), "succeeded", "evt_echo")
    body["request"]["idempotency_key"] = f"{named}:{call}"
    echo = log.event(named, body)
    async with group.worker(0) as worker:
        await worker.process(*ECHOED[call](log, named), echo)
        assert await group.outcomes(echo) == ["conflict"]
    await routing.router.route_waiting()
    assert await database.rows(pool, "select event_id from unrouted") == [("evt_echo",)]
    clock.forward(MAX_AGE_S + 1)
    await routing.router.route_waiting()
    assert routing.outbox.records == []
    assert await database.rows(pool, "select event_id from unrouted") == []
    assert await ignored(pool) == [("evt_echo", "payment_intent.succeeded", NEVER_OURS)]


async def test_what_waited_for_another_payment_is_sent_on_before_it_is_given_up(
    group: Group, pool: Pool, clock: Clock
) -> None:
    """Whether that payment never came, or has no object of its own. Each is one conflict."""
    log, never, meant = Log(), payment(), payment()
    unsure = payment()
    routing = Routing(pool, clock)
    about = [_without_key(log, meant), log.refund_event(meant, "re_1", "succeeded", 300)]
    misled = [_under(log, never, about[0]), _under(log, unsure, about[1])]
    async with group.worker(0) as worker:
        await worker.process(log.create(unsure), *misled)
        assert await group.outcomes(*misled) == ["parked", "parked"]
        await worker.process(log.create(meant), log.result(meant))
        given_up = PostgresHistory(pool).give_up_parked
        assert await given_up(clock() + timedelta(days=1000), 100) == 2
        assert await group.outcomes(*misled) == ["conflict", "conflict"]
        await routing.router.route_waiting()
        assert {sent.key for sent in routing.outbox.records} == {meant.encode()}
        routed = [_under(log, meant, record) for record in about]
        await worker.process(*routed, *misled)
        assert await group.outcomes(*routed) == ["applied", "applied"]
        assert await group.outcomes(*misled) == ["conflict", "conflict"]


async def test_what_quarantined_another_payment_is_sent_on_before_it_is_forgotten(
    group: Group, pool: Pool, clock: Clock
) -> None:
    """Nobody could tell what it is about when it came. The quarantine waits for its operator."""
    log, wrong, meant = Log(), payment(), payment()
    routing = Routing(pool, clock)
    about = _without_key(log, meant)
    misled = _under(log, wrong, about)
    async with group.worker(0) as worker:
        await worker.process(log.create(wrong), log.result(wrong))
        assert await database.rows(pool, QUARANTINED["unreadable"], wrong)
        await worker.process(misled)
        assert await group.outcomes(misled) == ["quarantined"]
        await worker.process(log.create(meant), log.result(meant))
        assert await PostgresHistory(pool).give_up_parked(clock() + timedelta(days=1000), 100) == 1
        assert await group.outcomes(misled) == ["conflict"]
        await routing.router.route_waiting()
        assert [sent.key for sent in routing.outbox.records] == [meant.encode()]
        routed = _under(log, meant, about)
        await worker.process(routed, misled)
        assert await group.outcomes(routed, misled) == ["applied", "conflict"]
    quarantined = await database.rows(pool, "select payment_id from quarantines")
    assert quarantined == [(wrong,)]
