"""Notices go to no payment: the router keeps those that are followed, and ignores all others."""

from typing import Any

import pytest
from msgspec.structs import replace

from ports.records import ConsumedRecord
from postgres.stores import Pool
from providers.stripe.notices.reading import NEVER_MADE
from schemas import headers
from schemas.topics import DEAD_LETTERS
from tests.providers.stripe.builders import event
from tests.providers.stripe.notices.test_reading import thin
from tests.support import database
from tests.support.builders import NOW
from tests.support.programs.folding import ONE
from tests.support.programs.routing import Routing, ignored, unrouted, waiting

pytestmark = pytest.mark.anyio

KEPT = """select event_id, provider, kind, context, received_at, next_at, attempts, outcome
    from notices order by 1"""


def notice(body: bytes | None = None, event_id: str = "evt_65thin", **named: str) -> ConsumedRecord:
    """A notice as the ingress publishes it."""
    record = unrouted(ONE, event_id, **{headers.OBJECT_ID: "", headers.NOTICE: "true", **named})
    return replace(record, value=thin() if body is None else body)


async def kept(pool: Pool) -> list[tuple[Any, ...]]:
    """The notices that are to be followed, or were."""
    return await database.rows(pool, KEPT)


async def test_a_notice_is_kept_until_it_is_followed(routing: Routing, pool: Pool) -> None:
    """It is due at once, and was sent nowhere."""
    await routing.router.route([notice(thin(context="acct_sandbox"))])
    assert await kept(pool) == [
        ("evt_65thin", "stripe", NEVER_MADE, "acct_sandbox", NOW, NOW, 0, None)
    ]
    assert routing.sent() == []
    assert await waiting(pool) == []


async def test_the_same_notice_twice_is_kept_once(routing: Routing, pool: Pool) -> None:
    """Also in one batch, and after it was followed."""
    await routing.router.route([notice(), notice()])
    await database.rows(
        pool,
        """update notices set next_at = null, outcome = 'looked', reason = 'why'
           returning event_id""",
    )
    await routing.router.route([notice()])
    ((*_, next_at, attempts, outcome),) = await kept(pool)
    assert (next_at, attempts, outcome) == (None, 0, "looked")


async def test_any_other_notice_is_ignored_with_its_reason(routing: Routing, pool: Pool) -> None:
    """It is counted, and no dead letter."""
    kind = "v2.core.event_destination.ping"
    await routing.router.route([notice(thin(type=kind))])
    why = "a notice of this kind says nothing of a payment"
    assert await ignored(pool) == [("evt_65thin", kind, why)]
    assert routing.metrics.ignored.labels("stripe", kind)._value.get() == 1
    assert (await kept(pool), routing.sent()) == ([], [])


async def test_an_event_with_a_payload_that_came_as_a_notice_is_ignored(
    routing: Routing, pool: Pool
) -> None:
    """It is not applied: what signs notices can't move a payment."""
    await routing.router.route([notice(event("payment_intent.succeeded"))])
    ((_, kind, why),) = await ignored(pool)
    assert kind == "payment_intent.succeeded"
    assert why == "it has a payload, and came to the endpoint of notices"
    assert (await kept(pool), routing.sent(), await waiting(pool)) == ([], [], [])


@pytest.mark.parametrize("changes", [{"livemode": True}, {"context": "acct_nobody"}])
async def test_a_notice_of_another_account_or_mode_is_ignored_and_counted(
    routing: Routing, pool: Pool, changes: dict[str, Any]
) -> None:
    """Nothing is fetched with our key for it."""
    await routing.router.route([notice(thin(**changes))])
    ((_, kind, _),) = await ignored(pool)
    assert kind == NEVER_MADE
    assert routing.metrics.foreign.labels("stripe")._value.get() == 1
    assert await kept(pool) == []


async def test_a_notice_of_an_account_that_is_not_known_yet_waits(
    routing: Routing, pool: Pool
) -> None:
    """The ingress knows it already. The worker follows it once it does too."""
    await routing.router.route([notice(None, **{headers.PROVIDER: "third"})])
    ((_, provider, kind, _, _, next_at, *_),) = await kept(pool)
    assert (provider, kind, next_at) == ("third", "notice", NOW)
    assert (await ignored(pool), routing.sent()) == ([], [])


async def test_what_is_no_event_at_all_is_a_dead_letter_and_stops_no_other(
    routing: Routing, pool: Pool
) -> None:
    """As of webhooks."""
    records = [notice(b"{}", "unreadable.1"), notice(), unrouted(ONE)]
    await routing.router.route(records)
    ((topic, _, named),) = routing.sent()
    assert topic == DEAD_LETTERS
    assert named[headers.ERROR].startswith("not an event of Stripe")
    assert [row[0] for row in await kept(pool)] == ["evt_65thin"]
    assert await waiting(pool) == ["evt_1"]


async def test_a_notice_that_came_as_a_webhook_is_none(routing: Routing, pool: Pool) -> None:
    """The endpoint's own secret has to have signed it."""
    record = replace(unrouted(ONE, "unreadable.1"), value=thin())
    await routing.router.route([record])
    ((topic, *_),) = routing.sent()
    assert topic == DEAD_LETTERS
    assert await kept(pool) == []
