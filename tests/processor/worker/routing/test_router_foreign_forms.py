"""Others in the account have amounts, currencies and forms that ours never have."""

import json
from typing import Any, Final

import pytest
from msgspec.structs import replace

from decisions.decode import Decoder
from ports.records import ConsumedRecord, DeadLetter
from postgres.stores import Pool
from processor.worker import router
from schemas import headers
from schemas.topics import DEAD_LETTERS, PROVIDER_WEBHOOKS
from tests.providers.stripe.builders import translator
from tests.support.builders import Clock, Log
from tests.support.programs.folding import ONE, TWO
from tests.support.programs.routing import (
    MAX_AGE_S,
    UNREAD_ID,
    Routing,
    create_payments,
    ignored,
    intent,
    unrouted,
    waiting,
)

pytestmark = pytest.mark.anyio

_DISPUTE: Final = {"id": "du_1", "status": "lost", "amount": 400, "balance_transactions": []}
#: Events about an object of ONE that can't be decoded: by type, changes of a refund, and the why.
IMPOSSIBLE: Final[dict[str, tuple[str, dict[str, Any], str]]] = {
    "a fraction": ("refund.updated", {"amount": 55, "currency": "isk"}, "ISK does not have"),
    "an amount as text": ("refund.updated", {"amount": "55"}, "Expected `int`, got `str`"),
    "no amount": ("refund.updated", {"amount": None}, "Expected `int`, got `null`"),
    "a coin": ("charge.dispute.closed", {**_DISPUTE, "currency": "usdc"}, "$.currency"),
}
#: Payment objects that are not read: changes of the event, of its object, and the why.
UNREAD_INTENTS: Final[dict[str, tuple[dict[str, Any], dict[str, Any], str]]] = {
    "an unknown status": ({}, {"status": "reimagined"}, "its status 'reimagined' is unknown"),
    "an old version": ({"api_version": "2013-12-03"}, {}, "is not read"),
    "a fraction": ({}, {"amount": 55, "amount_received": 55, "currency": "isk"}, "ISK does not"),
    "an amount as text": ({}, {"amount": "55"}, "Expected `int`, got `str`"),
    "a lost amount": ({}, {"amount_received": None}, "lacks its amount_received"),
}


def changed(record: ConsumedRecord, event: dict[str, Any], about: dict[str, Any]) -> ConsumedRecord:
    """The webhook with these fields of its event and of its object."""
    body = json.loads(record.value) | event
    body["data"]["object"] |= about
    return replace(record, value=json.dumps(body).encode())


def impossible(what: str) -> ConsumedRecord:
    """A webhook about an object of ONE that can't be decoded."""
    kind, about, _ = IMPOSSIBLE[what]
    return changed(unrouted(ONE), {"type": kind}, about)


@pytest.mark.parametrize("what", IMPOSSIBLE)
async def test_what_cant_be_decoded_of_others_ends_as_ignored(
    routing: Routing, pool: Pool, clock: Clock, what: str
) -> None:
    """It could be ours, so it waits like any other. The reason has what is wrong with it."""
    await routing.router.route([impossible(what)])
    assert (await waiting(pool), await ignored(pool)) == ([UNREAD_ID], [])
    clock.forward(MAX_AGE_S)
    await routing.router.route_waiting()
    assert await waiting(pool) == [UNREAD_ID]
    clock.forward(0.001)
    await routing.router.route_waiting()
    ((event_id, kind, reason),) = await ignored(pool)
    assert (event_id, kind) == (UNREAD_ID, IMPOSSIBLE[what][0])
    assert reason.startswith("its object can't be decoded: ")
    assert IMPOSSIBLE[what][2] in reason
    assert reason.endswith(f"; {router.NEVER_OURS}")
    assert routing.metrics.ignored.labels("stripe", kind)._value.get() == 1
    assert (routing.sent(), await waiting(pool)) == ([], [])


@pytest.mark.parametrize("what", IMPOSSIBLE)
@pytest.mark.parametrize("first", ["the payment", "the webhook"])
async def test_what_cant_be_decoded_of_ours_reaches_its_payment(
    routing: Routing, pool: Pool, first: str, what: str
) -> None:
    """There it becomes a dead letter, so that somebody sees it: it is about our money."""
    record = impossible(what)
    if first == "the payment":
        await create_payments(pool, ONE)
    await routing.router.route([record])
    if first == "the webhook":
        await create_payments(pool, ONE)
        await routing.router.route_waiting()
    (sent,) = routing.outbox.records
    assert (sent.topic, sent.key, sent.value) == (PROVIDER_WEBHOOKS, ONE.encode(), record.value)
    assert headers.as_text(sent.headers) == record.headers
    assert (await waiting(pool), await ignored(pool)) == ([], [])
    found = Decoder({"stripe": translator()}).decode(
        replace(Log().append(sent.topic, sent.key, sent.value), headers=record.headers)
    )
    assert isinstance(found, DeadLetter)
    assert IMPOSSIBLE[what][2] in found.error


@pytest.mark.parametrize("order", [1, -1])
async def test_what_cant_be_decoded_hides_no_other_rendering(
    routing: Routing, pool: Pool, order: int
) -> None:
    """It leaves the event's ID to the one that can be decoded: both reach the payment."""
    for record in (impossible("a fraction"), unrouted(ONE))[::order]:
        await routing.router.route([record])
        await routing.router.route([record])  # read again after a crash
    assert await waiting(pool) == ["evt_1", UNREAD_ID]
    await create_payments(pool, ONE)
    await routing.router.route_waiting()
    assert [key for _, key, _ in routing.sent()] == [ONE.encode()] * 2


async def test_what_cant_be_decoded_and_names_no_object_is_a_dead_letter(routing: Routing) -> None:
    """Its payment could never be found."""
    record = impossible("a fraction")
    nameless = replace(record, headers={**record.headers, headers.OBJECT_ID: ""})
    await routing.router.route([nameless])
    assert [topic for topic, _, _ in routing.sent()] == [DEAD_LETTERS]


@pytest.mark.parametrize("what", UNREAD_INTENTS)
async def test_a_payment_object_of_others_is_ignored_at_once_whatever_its_form(
    routing: Routing, pool: Pool, what: str
) -> None:
    """One of ours has our payment ID from its creation on, so nothing waits, and no body is kept.

    One that is known to be ours goes to its payment.
    """
    event, about, why = UNREAD_INTENTS[what]
    await create_payments(pool, TWO)
    ours, theirs = (changed(intent(each, f"evt_{each}"), event, about) for each in (TWO, ONE))
    await routing.router.route([ours, theirs])
    assert [(t, key) for t, key, _ in routing.sent()] == [(PROVIDER_WEBHOOKS, TWO.encode())]
    assert await waiting(pool) == []
    ((event_id, kind, reason),) = await ignored(pool)
    assert (event_id, kind) == (f"evt_{ONE}", "payment_intent.succeeded")
    assert why in reason
    assert reason.endswith(f"; {router.NOT_OURS}")


async def test_a_version_that_is_not_read_is_counted_where_it_ends_and_where_it_waits(
    routing: Routing, pool: Pool, clock: Clock
) -> None:
    """The endpoint that sends it has to be changed, also if the event is about others' payments."""
    old: dict[str, Any] = {"api_version": "2013-12-03"}

    def counted(kind: str) -> float:
        return float(routing.metrics.unread_versions.labels("stripe", kind)._value.get())

    ends = changed(intent(ONE), old, {})
    waits = changed(unrouted(ONE), old, {})
    await routing.router.route([ends, waits])
    assert (counted("payment_intent.succeeded"), counted("refund.updated")) == (1, 1)
    await routing.router.route_waiting()
    assert counted("refund.updated") == 1
    clock.forward(MAX_AGE_S + 1)
    await routing.router.route_waiting()
    assert (await waiting(pool), len(await ignored(pool))) == ([], 2)
    assert (counted("payment_intent.succeeded"), counted("refund.updated")) == (1, 2)
