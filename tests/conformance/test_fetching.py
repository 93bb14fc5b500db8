"""What is fetched agrees with what webhooks tell: the same events, and an object as it is now."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import pytest
from msgspec.structs import replace

from domain.inputs import Fact, Foreign, PaymentFact, Unmodelled
from domain.status import ProviderStatus
from ports.provider import FetchedEvent, ProviderClient, ProviderUnavailableError
from tests.conformance.kit.adapter import Adapter
from tests.conformance.kit.rows import over_http
from tests.conformance.kit.story import PAYMENT, call, made

pytestmark = [pytest.mark.anyio, over_http]

_NO_TIME: Final = datetime.min.replace(tzinfo=UTC)


async def lived(adapter: Adapter, client: ProviderClient) -> str:
    """A payment to which a lot happened; its webhooks are all there."""
    object_id = await made(client, call(adapter, "create", payment_method=adapter.tokens.declined))
    await made(client, call(adapter, "confirm", object_id))
    adapter.bounce(await made(client, call(adapter, "refund", object_id)))
    adapter.refund_elsewhere(object_id, 100)
    adapter.decide(adapter.dispute(object_id), won=True)
    adapter.settle()
    return object_id


async def read(client: ProviderClient, cursor: str | None = None) -> list[FetchedEvent]:
    """Every event after the cursor, in the order of the list."""
    pages: list[Sequence[FetchedEvent]] = [page async for page in client.events_after(cursor)]
    assert all(pages), "a page is empty"
    return [event for page in pages for event in page]


async def test_the_list_tells_what_webhooks_told(adapter: Adapter, client: ProviderClient) -> None:
    """The same facts under the same event IDs, routed alike; so each is known as the other."""
    await lived(adapter, client)
    reader = adapter.reader(*adapter.secrets)
    translate = adapter.translator().translate
    listed = {event.webhook: translate(event.body) for event in await read(client)}
    delivered = {
        reader.verify(d.body, d.headers): translate(d.body) for d in adapter.receiver.deliveries
    }
    assert len(delivered) > 5
    assert listed == delivered


async def test_the_list_is_told_oldest_first(adapter: Adapter, client: ProviderClient) -> None:
    """And each event once."""
    await lived(adapter, client)
    events = await read(client)
    reported = [adapter.translator().translate(event.body).fact for event in events]
    times = [fact.occurred_at for fact in reported if not isinstance(fact, Unmodelled | Foreign)]
    assert times == sorted(times)
    assert len({event.webhook.event_id for event in events}) == len(events)


async def test_after_a_cursor_comes_the_rest(adapter: Adapter, client: ProviderClient) -> None:
    """From any event on, without itself; after the newest there is nothing."""
    await lived(adapter, client)
    ids = [event.webhook.event_id for event in await read(client)]
    for position, cursor in enumerate(ids):
        rest = await read(client, cursor)
        assert [event.webhook.event_id for event in rest] == ids[position + 1 :]


async def test_a_cursor_that_is_listed_no_more_is_as_good_as_none(
    adapter: Adapter, client: ProviderClient
) -> None:
    """The events are returned again, from the first that still exists."""
    await lived(adapter, client)
    gone = adapter.translator().translate(adapter.payment_event("an-old-event")).fact.event_id
    assert await read(client, gone) == await read(client)


async def test_an_object_is_told_as_it_is_now(adapter: Adapter, client: ProviderClient) -> None:
    """The same fact as its latest webhook's, under an ID of its own, and not earlier."""
    object_id = await lived(adapter, client)
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
    assert fact.occurred_at >= last.occurred_at
    assert _said(fact) == _said(last)


@pytest.mark.parametrize("token", ["declined", "customer"])
async def test_an_unfinished_object_is_told_as_it_is_now(
    adapter: Adapter, client: ProviderClient, token: str
) -> None:
    """Also a failed attempt, under the same attempt reference: reported twice, it counts once."""
    method = getattr(adapter.tokens, token)
    object_id = await made(client, call(adapter, "create", payment_method=method))
    adapter.settle()
    fact = adapter.translator().translate((await client.retrieve(object_id)).body).fact
    assert isinstance(fact, PaymentFact)
    assert _said(fact) in [_said(reported) for reported in adapter.facts()]


def _said(fact: Fact) -> Fact:
    """A fact without what names its telling: event, time, and the call that caused it."""
    if isinstance(fact, PaymentFact):
        return replace(fact, event_id="", occurred_at=_NO_TIME, caused_by=None)
    return fact


async def test_an_unchanged_object_tells_nothing_twice(
    adapter: Adapter, client: ProviderClient
) -> None:
    """The second look has the same event ID; a change has another."""
    object_id = await made(client, call(adapter, "create", capture_method="manual"))
    first, second = await client.retrieve(object_id), await client.retrieve(object_id)
    assert first.webhook.event_id == second.webhook.event_id
    await made(client, call(adapter, "capture", object_id))
    assert (await client.retrieve(object_id)).webhook.event_id != first.webhook.event_id


async def test_an_object_that_is_not_there_is_unavailable(client: ProviderClient) -> None:
    """No event reports it."""
    with pytest.raises(ProviderUnavailableError):
        await client.retrieve("nothing-of-this-name")


async def test_a_provider_that_fails_is_unavailable(
    adapter: Adapter, client: ProviderClient
) -> None:
    """Not an empty list: nothing is taken for read that was not."""
    await made(client, call(adapter, "create"))
    adapter.be_unreachable()
    with pytest.raises(ProviderUnavailableError):
        await read(client)
