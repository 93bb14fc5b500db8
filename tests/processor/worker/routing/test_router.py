"""The router finds the payment of a webhook by its object: now, later or never."""

import json
from datetime import timedelta

import pytest
from msgspec.structs import replace

from ports.errors import PublishError
from ports.work_items import UnroutedWebhook
from postgres.stores import Pool, PostgresRouting
from processor.worker import router
from schemas import headers
from schemas.topics import DEAD_LETTERS, PROVIDER_WEBHOOKS, PROVIDER_WEBHOOKS_UNROUTED
from tests.support import database
from tests.support.builders import NOW, Clock, object_of, payment
from tests.support.programs.folding import ONE, TWO
from tests.support.programs.routing import (
    MAX_AGE_S,
    UNREAD_ID,
    Routing,
    create_payments,
    ignored,
    intent,
    payout,
    unrouted,
    waiting,
)

pytestmark = pytest.mark.anyio


async def test_a_known_objects_webhook_goes_to_its_payment(routing: Routing, pool: Pool) -> None:
    """It has the payment's key and unchanged body and headers. Nothing waits."""
    await create_payments(pool, ONE)
    record = unrouted(ONE)
    await routing.router.route([record])
    (sent,) = routing.outbox.records
    assert (sent.topic, sent.key, sent.value) == (PROVIDER_WEBHOOKS, ONE.encode(), record.value)
    assert headers.as_text(sent.headers) == record.headers
    assert await waiting(pool) == []


async def test_an_unknown_objects_webhook_waits_until_it_is_known(
    routing: Routing, pool: Pool
) -> None:
    """It is stored unchanged, and then goes to its payment once."""
    record = unrouted(ONE)
    await routing.router.route([record])
    await routing.router.route_waiting()
    assert routing.outbox.records == []
    assert await waiting(pool) == ["evt_1"]
    await create_payments(pool, ONE, TWO)
    await routing.router.route_waiting()
    (sent,) = routing.outbox.records
    assert (sent.topic, sent.key, sent.value) == (PROVIDER_WEBHOOKS, ONE.encode(), record.value)
    assert headers.as_text(sent.headers) == record.headers
    assert await waiting(pool) == []
    await routing.router.route_waiting()
    assert len(routing.outbox.records) == 1


@pytest.mark.parametrize("object_id", ["po_1", ""])
async def test_a_webhook_without_effect_is_ignored_with_its_reason(
    routing: Routing, pool: Pool, object_id: str
) -> None:
    """A payout is about no payment: it is recorded and counted; it does not wait."""
    record = payout(**{headers.OBJECT_ID: object_id})
    await routing.router.route([record])
    await routing.router.route([record])
    assert routing.sent() == []
    assert await waiting(pool) == []
    ignored = await database.rows(
        pool, "select event_id, provider, kind, reason from ignored_webhooks"
    )
    assert ignored == [
        ("evt_payout", "stripe", "payout.paid", "this type of event has no effect on a payment")
    ]
    assert routing.metrics.ignored.labels("stripe", "payout.paid")._value.get() == 2


async def test_a_webhook_of_another_mode_is_ignored_and_counted(
    routing: Routing, pool: Pool
) -> None:
    """It is about real money, and this account is for test data: somebody mixed the two up."""
    record = unrouted(ONE)
    event = json.loads(record.value) | {"livemode": True}
    await routing.router.route([replace(record, value=json.dumps(event).encode())])
    assert routing.sent() == []
    assert await waiting(pool) == []
    assert await database.rows(pool, "select event_id from ignored_webhooks") == [("evt_1",)]
    assert routing.metrics.foreign.labels("stripe")._value.get() == 1


async def test_a_webhook_with_an_effect_but_no_object_is_a_dead_letter(routing: Routing) -> None:
    """Its payment could never be found."""
    await routing.router.route([unrouted(ONE, **{headers.OBJECT_ID: ""})])
    ((topic, _, named),) = routing.sent()
    assert topic == DEAD_LETTERS
    assert headers.OBJECT_ID in named[headers.ERROR]


async def test_an_old_record_waits_as_long_as_any_other(
    routing: Routing, pool: Pool, clock: Clock
) -> None:
    """Its waiting time starts when it is first read, so an outage of the router does not count."""
    long_ago = (clock.now - timedelta(seconds=2 * MAX_AGE_S)).isoformat()
    await routing.router.route([unrouted(ONE, **{headers.RECEIVED_AT: long_ago})])
    await routing.router.route_waiting()
    assert (await waiting(pool), routing.sent()) == (["evt_1"], [])


async def test_a_redelivered_webhook_is_stored_once(routing: Routing, pool: Pool) -> None:
    """After a crash the router reads the same event again."""
    await routing.router.route([unrouted(ONE), unrouted(ONE)])
    await routing.router.route([unrouted(ONE)])
    assert (await waiting(pool), routing.sent()) == (["evt_1"], [])


@pytest.mark.parametrize("comes_first", ["the payment", "the webhook"])
async def test_another_providers_object_is_another_object(
    routing: Routing, pool: Pool, comes_first: str
) -> None:
    """Two providers may use the same ID."""
    record = unrouted(ONE, **{headers.PROVIDER: "another"})
    if comes_first == "the webhook":
        await routing.router.route([record])
    await create_payments(pool, ONE)
    await routing.router.route([record])
    await routing.router.route_waiting()
    assert routing.outbox.records == []
    assert await waiting(pool) == [UNREAD_ID]


async def test_a_webhook_whose_object_stays_unknown_ends_as_ignored(
    routing: Routing, pool: Pool, clock: Clock
) -> None:
    """Not before the limit. It is counted, has a reason, and its bytes are gone."""
    await routing.router.route([unrouted(ONE)])
    clock.forward(MAX_AGE_S)
    await routing.router.route_waiting()
    assert await ignored(pool) == []
    clock.forward(0.001)
    await routing.router.route_waiting()
    assert await ignored(pool) == [("evt_1", "refund.updated", router.NEVER_OURS)]
    assert routing.metrics.ignored.labels("stripe", "refund.updated")._value.get() == 1
    assert (routing.sent(), await waiting(pool)) == ([], [])


async def test_a_waiting_webhook_ends_beside_one_of_its_event_that_was_ignored(
    routing: Routing, pool: Pool, clock: Clock
) -> None:
    """The first reason stays, and it is no dead letter."""
    await routing.router.route([unrouted(ONE), payout("evt_1"), unrouted(TWO, "evt_2")])
    clock.forward(2 * MAX_AGE_S)
    await routing.router.route_waiting()
    assert (await waiting(pool), routing.sent()) == ([], [])
    assert [each[:2] for each in await ignored(pool)] == [
        ("evt_1", "payout.paid"),
        ("evt_2", "refund.updated"),
    ]


async def test_a_payment_intent_without_our_id_is_ignored_at_once(
    routing: Routing, pool: Pool
) -> None:
    """One of ours has the ID from its creation on. Other applications share the account."""
    await routing.router.route([intent(ONE), intent(TWO, "evt_2", "order-7:create")])
    assert await ignored(pool) == [
        ("evt_1", "payment_intent.succeeded", router.NOT_OURS),
        ("evt_2", "payment_intent.succeeded", router.NOT_OURS),
    ]
    assert (routing.sent(), await waiting(pool)) == ([], [])


async def test_a_payment_intent_of_ours_is_known_by_its_object(
    routing: Routing, pool: Pool
) -> None:
    """Also if somebody has removed our ID from it."""
    await create_payments(pool, ONE)
    await routing.router.route([intent(ONE)])
    assert [key for _, key, _ in routing.sent()] == [ONE.encode()]
    assert (await ignored(pool), await waiting(pool)) == ([], [])


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"id": "evt_1", "created": "soon"}'])
async def test_a_webhook_that_is_no_event_is_a_dead_letter_at_once(
    routing: Routing, pool: Pool, body: bytes
) -> None:
    """No payment could ever take it. It has the reason, its key and its headers."""
    record = replace(unrouted(ONE), value=body)
    await routing.router.route([record])
    ((topic, key, named),) = routing.sent()
    assert (topic, key) == (DEAD_LETTERS, object_of(ONE).encode())
    assert "not a Stripe event" in named[headers.ERROR]
    assert named[headers.ORIGINAL_TOPIC] == PROVIDER_WEBHOOKS_UNROUTED
    assert named.items() >= record.headers.items()
    assert (await ignored(pool), await waiting(pool)) == ([], [])


async def test_a_waiting_webhook_that_is_no_event_any_more_is_a_dead_letter(
    routing: Routing, pool: Pool, clock: Clock
) -> None:
    """It keeps its headers, so that it can be sent again once it can be decoded."""
    record = unrouted(ONE)
    await routing.router.route([record])
    await database.rows(pool, "update unrouted set value = '{' returning 1")
    clock.forward(2 * MAX_AGE_S)
    await routing.router.route_waiting()
    ((topic, _, named),) = routing.sent()
    assert topic == DEAD_LETTERS
    assert named.items() >= record.headers.items()
    assert (await ignored(pool), await waiting(pool)) == ([], [])


async def test_a_webhook_of_any_age_is_routed_once_its_object_is_known(
    routing: Routing, pool: Pool, clock: Clock
) -> None:
    """It goes to its payment, and does not end as ignored."""
    await routing.router.route([unrouted(ONE), unrouted(TWO, "evt_2")])
    await create_payments(pool, ONE)
    clock.forward(2 * MAX_AGE_S)
    await routing.router.route_waiting()
    assert [(topic, key) for topic, key, _ in routing.sent()] == [(PROVIDER_WEBHOOKS, ONE.encode())]
    assert await ignored(pool) == [("evt_2", "refund.updated", router.NEVER_OURS)]


async def test_waiting_webhooks_leave_in_the_order_they_came(
    routing: Routing, pool: Pool, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if one round can't take all of them: to payments, and as ignored."""
    monkeypatch.setattr(router, "BATCH_RECORDS", 1)
    for number, about in enumerate((ONE, TWO, payment("three"), payment("four"))):
        await routing.router.route([unrouted(about, f"evt_{number}")])
        clock.forward(1)
    await create_payments(pool, ONE, TWO)
    await routing.router.route_waiting()
    assert [key for _, key, _ in routing.sent()] == [ONE.encode()]
    await routing.router.route_waiting()
    assert [key for _, key, _ in routing.sent()] == [TWO.encode()]
    clock.forward(2 * MAX_AGE_S)
    await routing.router.route_waiting()
    assert await waiting(pool) == ["evt_3"]


@pytest.mark.parametrize(
    "name", [headers.EVENT_ID, headers.PROVIDER, headers.RECEIVED_AT, headers.OBJECT_ID]
)
async def test_a_malformed_record_is_a_dead_letter(routing: Routing, pool: Pool, name: str) -> None:
    """The error names the wrong header. The other records of the batch are routed."""
    await create_payments(pool, TWO)
    await routing.router.route([unrouted(ONE, **{name: ""}), unrouted(TWO, "evt_2")])
    (routed, dead) = routing.sent()
    assert routed[:2] == (PROVIDER_WEBHOOKS, TWO.encode())
    assert dead[0] == DEAD_LETTERS
    assert name in dead[2][headers.ERROR]
    assert dead[2][headers.ORIGINAL_OFFSET] == "0"
    assert await waiting(pool) == []


async def test_a_record_with_a_malformed_time_is_a_dead_letter(routing: Routing) -> None:
    """A time header whose value is no time is malformed."""
    await routing.router.route([unrouted(ONE, **{headers.RECEIVED_AT: "soon"})])
    ((topic, _, named),) = routing.sent()
    assert topic == DEAD_LETTERS
    assert "ISO 8601" in named[headers.ERROR]
    assert "our own code" not in named[headers.ERROR], "the record is wrong, not our code"


async def test_a_webhook_that_was_not_sent_keeps_waiting(routing: Routing, pool: Pool) -> None:
    """Without the brokers' acknowledgement it stays stored, and is sent again."""
    await routing.router.route([unrouted(ONE)])
    await create_payments(pool, ONE)
    routing.outbox.failures = [PublishError("no acknowledgement")]
    with pytest.raises(PublishError):
        await routing.router.route_waiting()
    assert await waiting(pool) == ["evt_1"]
    await routing.router.route_waiting()
    assert len(routing.sent()) == 1


async def test_a_webhook_whose_payment_has_just_come_is_routable_when_it_is_stored(
    pool: Pool,
) -> None:
    """The payment came after the look-up and before the webhook was stored; another did not."""
    await create_payments(pool, ONE)
    store = PostgresRouting(pool)
    waiting = [
        UnroutedWebhook(
            event_id=f"evt_{object_of(about)}",
            provider="stripe",
            object_id=object_of(about),
            headers=unrouted(about).headers,
            value=b"{}",
            payment_id=None,
        )
        for about in (ONE, TWO)
    ]
    await store.park(waiting, NOW)
    assert [each.payment_id for each in await store.routable(10)] == [ONE]


async def test_a_webhook_stored_at_the_same_moment_as_its_payment_is_routed(
    routing: Routing, pool: Pool, clock: Clock
) -> None:
    """Neither transaction saw the other, so nothing marked it. It is looked for soon after."""
    await routing.router.route_waiting()
    await routing.router.route([unrouted(ONE)])
    await create_payments(pool, ONE)
    unmarked = "update unrouted set payment_id = null returning payment_id"
    await database.rows(pool, unmarked)
    await routing.router.route_waiting()
    assert routing.sent() == []
    clock.forward(router.MISSED_EVERY.total_seconds())
    await routing.router.route_waiting()
    assert [key for _, key, _ in routing.sent()] == [ONE.encode()]


async def test_a_webhook_that_waited_while_no_router_ran_is_routed(
    routing: Routing, pool: Pool, clock: Clock
) -> None:
    """However long ago it was stored: a router that starts looks at all that wait."""
    await routing.router.route([unrouted(ONE)])
    await create_payments(pool, ONE)
    await database.rows(pool, "update unrouted set payment_id = null returning payment_id")
    clock.forward(MAX_AGE_S / 2)
    await routing.router.route_waiting()
    assert [key for _, key, _ in routing.sent()] == [ONE.encode()]


async def test_a_webhook_that_was_missed_is_found_after_the_clock_was_set_back(
    routing: Routing, pool: Pool, clock: Clock
) -> None:
    """What was stored meanwhile is older than the last look."""
    clock.forward(MAX_AGE_S / 2)
    await routing.router.route_waiting()
    clock.forward(-MAX_AGE_S / 4)
    await routing.router.route([unrouted(ONE)])
    await create_payments(pool, ONE)
    await database.rows(pool, "update unrouted set payment_id = null returning payment_id")
    await routing.router.route_waiting()
    assert [key for _, key, _ in routing.sent()] == [ONE.encode()]


async def test_what_echoes_our_call_goes_to_that_calls_payment(
    routing: Routing, pool: Pool
) -> None:
    """An earlier release wrote it here. A payment that is known to have the object comes first."""
    await create_payments(pool, TWO)
    proof = intent(ONE, "evt_1", f"{ONE}:create")
    owned = intent(TWO, "evt_2", f"{ONE}:create")
    await routing.router.route([proof, owned])
    assert [sent.key for sent in routing.outbox.records] == [ONE.encode(), TWO.encode()]
    assert await waiting(pool) == []
    assert await ignored(pool) == []
