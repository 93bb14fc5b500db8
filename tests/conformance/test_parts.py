"""Fetched refunds and disputes say what the last webhooks about them said."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest
from msgspec.structs import replace

from domain.inputs import DisputeFact, RefundFact
from ports.provider import FetchedEvent, ProviderClient, ProviderUnavailableError
from tests.conformance.kit.adapter import Adapter
from tests.conformance.kit.calls import call, make
from tests.conformance.kit.rows import over_http

pytestmark = [pytest.mark.anyio, over_http]

_NO_TIME: Final = datetime.min.replace(tzinfo=UTC)
BEFORE_ALL: Final = datetime(2026, 1, 1, tzinfo=UTC)

Part = RefundFact | DisputeFact


async def with_parts(adapter: Adapter, client: ProviderClient) -> str:
    """A payment with two refunds, one of which bounced, and a dispute; all webhooks have come."""
    object_id = await make(client, call(adapter, "create"))
    adapter.bounce(await make(client, call(adapter, "refund", object_id)))
    adapter.refund_elsewhere(object_id, 100)
    adapter.decide(adapter.dispute(object_id), won=True)
    adapter.settle()
    return object_id


async def read(pages: AsyncIterator[Sequence[FetchedEvent]]) -> list[FetchedEvent]:
    """The events of all pages, none of which is empty."""
    found = [page async for page in pages]
    assert all(found), "a page is empty"
    return [event for page in found for event in page]


async def since(client: ProviderClient, at: datetime) -> list[FetchedEvent]:
    """The parts of every kind that were made since then; no page is empty."""
    found: list[FetchedEvent] = []
    for kind in client.part_kinds:
        async for page in client.parts_since(kind, at):
            assert page.parts
            found += page.parts
    return found


def fact_of(adapter: Adapter, event: FetchedEvent) -> Part:
    """The fact of a fetched part."""
    fact = adapter.translator().translate(event.body).fact
    assert isinstance(fact, RefundFact | DisputeFact)
    assert fact.event_id == event.webhook.event_id
    return fact


def id_of(fact: Part) -> str:
    """The part's own ID."""
    return fact.refund_id if isinstance(fact, RefundFact) else fact.dispute_id


def content(fact: Part) -> Part:
    """The fact without what a state that is looked at can't say: its event, time and cause."""
    fact = replace(fact, event_id="", occurred_at=_NO_TIME)
    if isinstance(fact, RefundFact):
        return replace(fact, caused_by=None, may_be_release=False)
    return fact


async def test_the_parts_of_a_payment_are_as_its_last_webhooks_say(
    adapter: Adapter, client: ProviderClient
) -> None:
    """All of one payment and none of another; they name its object, and no call as their cause."""
    object_id = await with_parts(adapter, client)
    other = await make(client, call(adapter, "create", key="k-other"))
    adapter.refund_elsewhere(other, 200)
    adapter.settle()
    reported = [
        content(fact)
        for fact in adapter.facts()
        if isinstance(fact, RefundFact | DisputeFact) and fact.object_id == object_id
    ]
    events = await read(client.parts_of(object_id))
    found = [fact_of(adapter, event) for event in events]
    assert sorted(fact.status for fact in found) == ["FAILED", "SUCCEEDED", "WON"]
    assert all(content(fact) in reported for fact in found)
    assert {event.webhook.object_id for event in events} == {object_id}
    assert [f.caused_by for f in found if isinstance(f, RefundFact)] == [None, None]


async def test_an_unchanged_part_gives_the_same_event(
    adapter: Adapter, client: ProviderClient
) -> None:
    """Fetched again it is a duplicate, until it changes."""
    object_id = await with_parts(adapter, client)
    first = {event.webhook for event in await read(client.parts_of(object_id))}
    assert first == {event.webhook for event in await read(client.parts_of(object_id))}
    assert first == {event.webhook for event in await since(client, BEFORE_ALL)}
    adapter.refund_elsewhere(object_id, 50)
    assert first < {event.webhook for event in await read(client.parts_of(object_id))}


async def test_a_changed_part_gives_another_event(adapter: Adapter, client: ProviderClient) -> None:
    """What was fetched before it changed hides nothing."""
    object_id = await make(client, call(adapter, "create"))
    refund = await make(client, call(adapter, "refund", object_id))
    (before,) = await read(client.parts_of(object_id))
    adapter.bounce(refund)
    (after,) = await read(client.parts_of(object_id))
    assert id_of(fact_of(adapter, before)) == id_of(fact_of(adapter, after))
    assert before.webhook.event_id != after.webhook.event_id
    assert fact_of(adapter, before).status != fact_of(adapter, after).status


async def test_the_parts_of_all_payments_since_a_time_are_fetched(
    adapter: Adapter, client: ProviderClient
) -> None:
    """Also those that no call of ours made. What is older is left out."""
    first = await with_parts(adapter, client)
    second = await make(client, call(adapter, "create", key="k-other"))
    adapter.refund_elsewhere(second, 200)
    found = await since(client, datetime.now(UTC) - timedelta(minutes=5))
    objects = sorted(event.webhook.object_id or "" for event in found)
    assert objects == sorted([first, first, first, second])
    assert await since(client, datetime.now(UTC) + timedelta(hours=1)) == []


async def test_a_part_is_never_newer_than_what_was_read(
    adapter: Adapter, client: ProviderClient
) -> None:
    """A webhook about a change after the look has a time that is not earlier."""
    object_id = await make(client, call(adapter, "create"))
    dispute = adapter.dispute(object_id)
    (event,) = await read(client.parts_of(object_id))
    adapter.decide(dispute, won=False)
    adapter.settle()
    last = [fact for fact in adapter.facts() if isinstance(fact, DisputeFact)][-1]
    assert fact_of(adapter, event).occurred_at <= last.occurred_at


async def test_a_provider_that_fails_is_unavailable(
    adapter: Adapter, client: ProviderClient
) -> None:
    """No part would look as if nothing had been given back."""
    object_id = await with_parts(adapter, client)
    adapter.become_unreachable()
    with pytest.raises(ProviderUnavailableError):
        await read(client.parts_of(object_id))
    with pytest.raises(ProviderUnavailableError):
        await since(client, BEFORE_ALL)
