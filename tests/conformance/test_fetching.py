"""Fetched events equal those of the webhooks; a fetched object is current."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest
from msgspec.structs import replace

from domain.inputs import Fact, Foreign, PaymentFact, Unmodelled
from domain.status import ProviderStatus
from ports.provider import FetchedEvent, MissingError, ProviderClient, ProviderUnavailableError
from tests.conformance.kit.adapter import Adapter
from tests.conformance.kit.calls import PAYMENT, call, make
from tests.conformance.kit.rows import over_http

pytestmark = [pytest.mark.anyio, over_http]

_NO_TIME: Final = datetime.min.replace(tzinfo=UTC)


async def payment_with_history(adapter: Adapter, client: ProviderClient) -> str:
    """A payment with a decline, a refund and a dispute; all its webhooks are delivered."""
    object_id = await make(client, call(adapter, "create", payment_method=adapter.tokens.declined))
    await make(client, call(adapter, "confirm", object_id))
    adapter.bounce(await make(client, call(adapter, "refund", object_id)))
    adapter.refund_elsewhere(object_id, 100)
    adapter.decide(adapter.dispute(object_id), won=True)
    adapter.settle()
    return object_id


async def read(
    client: ProviderClient, cursor: str | None = None, since: datetime | None = None
) -> list[FetchedEvent]:
    """Every event after the cursor or of that time on, in the order of the list."""
    reading = client.events_after(cursor, since)
    pages: list[Sequence[FetchedEvent]] = [page async for page in reading]
    assert all(pages), "a page is empty"
    return [event for page in pages for event in page]


async def test_the_list_has_the_events_of_the_webhooks(
    adapter: Adapter, client: ProviderClient
) -> None:
    """Both have the same facts, event IDs and routing; a list may omit what has no effect."""
    await payment_with_history(adapter, client)
    reader = adapter.reader(*adapter.secrets)
    translate = adapter.translator().translate
    listed = {event.webhook: translate(event.body) for event in await read(client)}
    delivered = {
        reader.verify(d.body, d.headers): translate(d.body) for d in adapter.receiver.deliveries
    }
    assert len(delivered) > 5
    assert listed.items() <= delivered.items()
    omitted = [delivered[webhook].fact for webhook in delivered.keys() - listed.keys()]
    assert all(isinstance(fact, Unmodelled) for fact in omitted)


async def test_the_list_is_sorted_oldest_first(adapter: Adapter, client: ProviderClient) -> None:
    """It has each event once."""
    await payment_with_history(adapter, client)
    events = await read(client)
    reported = [adapter.translator().translate(event.body).fact for event in events]
    times = [fact.occurred_at for fact in reported if not isinstance(fact, Unmodelled | Foreign)]
    assert times == sorted(times)
    assert len({event.webhook.event_id for event in events}) == len(events)


async def test_a_cursor_returns_the_events_after_it(
    adapter: Adapter, client: ProviderClient
) -> None:
    """After any event come all later ones; after the newest comes none."""
    await payment_with_history(adapter, client)
    ids = [event.webhook.event_id for event in await read(client)]
    for position, cursor in enumerate(ids):
        rest = await read(client, cursor)
        assert [event.webhook.event_id for event in rest] == ids[position + 1 :]


async def test_an_expired_cursor_returns_all_events(
    adapter: Adapter, client: ProviderClient
) -> None:
    """The events are returned again, from the first that still exists."""
    await payment_with_history(adapter, client)
    gone = adapter.translator().translate(adapter.payment_event("an-old-event")).fact.event_id
    assert await read(client, gone) == await read(client)


async def test_a_time_returns_the_events_from_it_on(
    adapter: Adapter, client: ProviderClient
) -> None:
    """Also where the cursor is not listed any more: not all comes again. That second's come too."""
    await payment_with_history(adapter, client)
    events = await read(client)
    gone = adapter.translator().translate(adapter.payment_event("an-old-event")).fact.event_id
    times = sorted({event.at for event in events if event.at is not None})
    for since in times:
        wanted = [event for event in events if event.at is not None and event.at >= since]
        assert await read(client, None, since) == wanted
        assert await read(client, gone, since) == wanted
    assert await read(client, events[0].webhook.event_id, times[-1]) == events[1:]
    assert await read(client, None, times[-1] + timedelta(seconds=1)) == []


async def test_a_fetched_object_is_current(adapter: Adapter, client: ProviderClient) -> None:
    """Its fact equals the latest webhook's, with its own event ID and the request's time."""
    object_id = await payment_with_history(adapter, client)
    event = await client.retrieve(object_id)
    assert (event.webhook.object_id, event.webhook.payment_id) == (object_id, PAYMENT)
    fact = adapter.translator().translate(event.body).fact
    assert fact.event_id == event.webhook.event_id
    last = next(
        fact
        for fact in adapter.facts()
        if isinstance(fact, PaymentFact) and fact.status is ProviderStatus.SUCCEEDED
    )
    assert isinstance(fact, PaymentFact)
    assert fact.occurred_at >= last.occurred_at - timedelta(seconds=1)
    assert _content(fact) == _content(last)


@pytest.mark.parametrize("token", ["declined", "customer"])
async def test_a_fetched_unfinished_object_is_current(
    adapter: Adapter, client: ProviderClient, token: str
) -> None:
    """A failed attempt has the same reference as in its webhook, so it counts once."""
    method = getattr(adapter.tokens, token)
    object_id = await make(client, call(adapter, "create", payment_method=method))
    adapter.settle()
    fact = adapter.translator().translate((await client.retrieve(object_id)).body).fact
    assert isinstance(fact, PaymentFact)
    assert _content(fact) in [_content(reported) for reported in adapter.facts()]


def _content(fact: Fact) -> Fact:
    """A payment fact without its event ID, its time and the call that caused it."""
    if isinstance(fact, PaymentFact):
        return replace(fact, event_id="", occurred_at=_NO_TIME, caused_by=None, names_cause=False)
    return fact


async def test_an_unchanged_object_has_the_same_event_id(
    adapter: Adapter, client: ProviderClient
) -> None:
    """A second fetch has the same event ID; after a change it has another."""
    object_id = await make(client, call(adapter, "create", capture_method="manual"))
    first, second = await client.retrieve(object_id), await client.retrieve(object_id)
    assert first.webhook.event_id == second.webhook.event_id
    await make(client, call(adapter, "capture", object_id))
    assert (await client.retrieve(object_id)).webhook.event_id != first.webhook.event_id


async def test_a_missing_object_is_missing(client: ProviderClient) -> None:
    """The client says so instead of returning an event: that is an answer, and no outage."""
    with pytest.raises(MissingError):
        await client.retrieve("nothing-of-this-name")


async def test_a_provider_that_fails_is_unavailable(
    adapter: Adapter, client: ProviderClient
) -> None:
    """The list raises instead of being empty, so no event is taken as read."""
    await make(client, call(adapter, "create"))
    adapter.become_unreachable()
    with pytest.raises(ProviderUnavailableError):
        await read(client)
