"""The reconciler fetches undelivered events from a provider's list."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from ports.errors import PublishError
from ports.provider import FetchedEvent
from postgres.stores import Pool
from providers.stripe.webhooks import read
from schemas import headers
from schemas.topics import (
    BODY_BYTES_MAX,
    DEAD_LETTERS,
    PROVIDER_WEBHOOKS,
    PROVIDER_WEBHOOKS_UNROUTED,
)
from tests.providers.stripe.builders import translator
from tests.support import database
from tests.support.builders import NOW, Clock, event_body, object_of, received
from tests.support.programs.folding import ONE, TWO
from tests.support.programs.sweeping import (
    LONG_AGO,
    Sweeping,
    as_record,
    event,
    event_ids,
)

pytestmark = pytest.mark.anyio


async def test_the_events_after_the_cursor_go_to_their_payments(sweeping: Sweeping) -> None:
    """They are published like webhooks. Events that name no payment go to the router."""
    sweeping.provider.pages = [[event(ONE, "evt_1"), event(TWO, "evt_2", ours=False)]]
    known, other = await sweeping.round()
    got = received(as_record(known))
    assert (got.payment_id, got.event_id, got.input.received_at) == (ONE, "evt_1", NOW)
    assert (other.topic, other.key) == (PROVIDER_WEBHOOKS_UNROUTED, object_of(TWO).encode())
    assert headers.as_text(other.headers)[headers.OBJECT_ID] == object_of(TWO)
    sweeping.provider.pages = []
    assert await sweeping.round() == []
    assert sweeping.provider.cursors == [None, "evt_2"]


async def test_each_event_that_no_webhook_brought_is_counted(sweeping: Sweeping) -> None:
    """By what found it, however many came in one page."""
    sweeping.provider.pages = [
        [event(ONE, "evt_1"), event(TWO, "evt_2")],
        [event(ONE, "evt_3")],
    ]
    await sweeping.round()
    labels = {"provider": "stripe", "source": "event_list"}
    found = sweeping.registry.get_sample_value("payments_reconciled_events_total", labels)
    assert found == 3


async def test_the_cursor_moves_page_by_page(sweeping: Sweeping) -> None:
    """Only a page that was not published is read again."""
    pages = [[event(ONE, f"evt_{n}")] for n in range(3)]
    sweeping.provider.pages = pages
    sweeping.outbox.failures = [None, PublishError("no acknowledgement")]
    assert event_ids(await sweeping.round()) == ["evt_0"]
    assert sweeping.errors("events/stripe") == 1
    sweeping.provider.pages = pages[1:]
    assert event_ids(await sweeping.round()) == ["evt_1", "evt_2"]
    sweeping.provider.pages = []
    await sweeping.round()
    assert sweeping.provider.cursors == [None, "evt_0", "evt_2"]


async def test_an_event_that_the_list_has_late_is_published(
    sweeping: Sweeping, clock: Clock
) -> None:
    """The list's end is read again until it has settled; what was published is not, again."""

    def at(event_id: str, second: int) -> FetchedEvent:
        return replace(event(ONE, event_id), at=NOW + timedelta(seconds=second))

    first, last = at("evt_1", 0), at("evt_2", 90)
    clock.forward(90)
    sweeping.provider.pages = [[first], [last]]
    assert event_ids(await sweeping.round()) == ["evt_1", "evt_2"]
    sweeping.provider.pages = [[first, at("evt_late", 60), last]]
    assert event_ids(await sweeping.round()) == ["evt_late"]
    clock.forward(95)
    sweeping.provider.pages = [[first, at("evt_late", 60), last, at("evt_3", 185)]]
    assert event_ids(await sweeping.round()) == ["evt_3"]
    assert await sweeping.round() == []
    sweeping.provider.pages = []
    await sweeping.round()
    assert sweeping.provider.cursors == [None, None, None, None, "evt_late"]


@pytest.mark.parametrize(("ours", "stores"), [(3600.0, 0.0), (0.0, 3600.0)])
async def test_a_clock_that_is_ahead_settles_nothing(
    sweeping: Sweeping, pool: Pool, clock: Clock, ours: float, stores: float
) -> None:
    """Ours or the store's: what the list has late is read, although the first reading met more."""
    sweeping.store.clock = Clock()
    clock.forward(90 + ours)
    sweeping.store.clock.forward(90 + stores)
    first, late, last = (
        replace(event(ONE, f"evt_{second}"), at=NOW + timedelta(seconds=second))
        for second in (0, 60, 90)
    )
    ahead = replace(event(ONE, "evt_odd"), at=NOW + timedelta(seconds=1800))
    sweeping.provider.pages = [[first], [last, ahead]]
    assert event_ids(await sweeping.round()) == ["evt_0", "evt_90", "evt_odd"]
    sweeping.provider.pages = [[first, late, last, ahead]]
    assert event_ids(await sweeping.round()) == ["evt_60"]
    assert await database.rows(pool, "select event_id from cursors where provider = 'stripe'") == []


async def test_another_process_reads_from_the_time_of_the_cursor_on(
    sweeping: Sweeping, pool: Pool, clock: Clock
) -> None:
    """A provider need not take an event of a type that this release does not ask for."""
    sweeping.provider.pages = [[event(ONE, "evt_1")]]
    await sweeping.round()
    another = Sweeping(pool, clock)
    await another.round()
    assert (another.provider.cursors, another.provider.since) == ([None], [LONG_AGO])
    another.provider.pages = [[replace(event(ONE, "evt_2"), at=LONG_AGO + timedelta(seconds=1))]]
    await another.round()
    await another.round()
    assert another.provider.cursors == [None, None, "evt_2"]
    await sweeping.round()
    assert sweeping.provider.cursors == [None, None]


async def test_a_cursor_of_an_unknown_time_is_none(sweeping: Sweeping, pool: Pool) -> None:
    """An earlier release stored it, and perhaps asked for other types."""
    old = "insert into cursors values ('stripe', 'evt_old', now()) returning 1"
    await database.rows(pool, old)
    await sweeping.round()
    assert (sweeping.provider.cursors, sweeping.provider.since) == ([None], [None])


async def test_a_list_of_which_nothing_has_settled_is_not_read_from_its_beginning(
    sweeping: Sweeping,
) -> None:
    """A new account's list is not searched for its first event in every round."""
    sweeping.provider.pages = [[replace(event(ONE, "evt_1"), at=NOW)]]
    await sweeping.round()
    await sweeping.round()
    first, second = sweeping.provider.since
    assert first is None
    assert second is not None
    assert second < NOW - timedelta(seconds=120)


async def test_an_event_too_large_for_a_topic_blocks_no_other(
    sweeping: Sweeping,
) -> None:
    """It becomes a dead letter, and the cursor moves on."""
    large = event(ONE, "evt_large")
    large = replace(large, body=b"[%s0]" % (b"0," * BODY_BYTES_MAX))
    sweeping.provider.pages = [[event(ONE, "evt_1"), large, event(TWO, "evt_2")]]
    sent = await sweeping.round()
    assert [each.topic for each in sent] == [PROVIDER_WEBHOOKS, DEAD_LETTERS, PROVIDER_WEBHOOKS]
    assert "a topic takes 1000000" in headers.as_text(sent[1].headers)[headers.ERROR]
    sweeping.provider.pages = []
    await sweeping.round()
    assert sweeping.provider.cursors == [None, "evt_2"]


async def test_an_event_with_texts_too_large_for_a_topic_is_shortened(sweeping: Sweeping) -> None:
    """What was reported is not lost with what somebody wrote on the object."""
    body = event_body(ONE, "succeeded", "evt_1", description="\ud83d" + "x" * BODY_BYTES_MAX)
    large = json.dumps(body | {"request": None}).encode()
    sweeping.provider.pages = [[FetchedEvent(read(large), large)]]
    (sent,) = await sweeping.round()
    assert (sent.topic, len(sent.value) < 10_000) == (PROVIDER_WEBHOOKS_UNROUTED, True)
    assert translator().translate(sent.value) == translator().translate(large)
