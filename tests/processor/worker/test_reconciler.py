"""The reconciler fetches undelivered events, and looks up the objects of silent payments."""

import time
from dataclasses import replace

import pytest

from ports.errors import PublishError
from ports.provider import ProviderUnavailableError
from postgres.stores import Pool
from processor.worker.reconciler import FAILURES_MAX
from schemas import headers
from schemas.topics import (
    BODY_BYTES_MAX,
    DEAD_LETTERS,
    PROVIDER_WEBHOOKS,
    PROVIDER_WEBHOOKS_UNROUTED,
)
from tests.support import database
from tests.support.builders import NOW, Clock, Log, object_of, payment, received
from tests.support.programs.folding import ONE, TWO
from tests.support.programs.sweeping import (
    SILENT_S,
    Sweeping,
    as_record,
    event,
    event_ids,
    process_status,
)

pytestmark = pytest.mark.anyio

UNAVAILABLE = ProviderUnavailableError("down")


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


async def test_the_cursor_moves_page_by_page(sweeping: Sweeping) -> None:
    """Only a page that was not published is read again."""
    pages = [[event(ONE, f"evt_{n}")] for n in range(3)]
    sweeping.provider.pages = pages
    sweeping.outbox.failures = [None, PublishError("no acknowledgement")]
    assert event_ids(await sweeping.round()) == ["evt_0"]
    assert sweeping.errors("events") == 1
    sweeping.provider.pages = pages[1:]
    assert event_ids(await sweeping.round()) == ["evt_1", "evt_2"]
    sweeping.provider.pages = []
    await sweeping.round()
    assert sweeping.provider.cursors == [None, "evt_0", "evt_2"]


async def test_an_event_too_large_for_a_topic_blocks_no_other(
    sweeping: Sweeping,
) -> None:
    """It becomes a dead letter, and the cursor moves on."""
    large = event(ONE, "evt_large")
    large = replace(large, body=large.body + b" " * BODY_BYTES_MAX)
    sweeping.provider.pages = [[event(ONE, "evt_1"), large, event(TWO, "evt_2")]]
    sent = await sweeping.round()
    assert [each.topic for each in sent] == [PROVIDER_WEBHOOKS, DEAD_LETTERS, PROVIDER_WEBHOOKS]
    assert "a topic takes 1000000" in headers.as_text(sent[1].headers)[headers.ERROR]
    sweeping.provider.pages = []
    await sweeping.round()
    assert sweeping.provider.cursors == [None, "evt_2"]


@pytest.mark.parametrize("status", ["processing", "requires_action", "requires_capture"])
async def test_an_unfinished_silent_payments_object_is_looked_up(
    sweeping: Sweeping, pool: Pool, clock: Clock, status: str
) -> None:
    """Not before enough silence. Its state is published as an event of the payment."""
    await process_status(pool, status, ONE)
    sweeping.provider.objects = {object_of(ONE): event(ONE, "look_1", ours=False)}
    clock.forward(SILENT_S)
    assert await sweeping.round() == []
    clock.forward(0.001)
    (sent,) = await sweeping.round()
    assert sent.topic == PROVIDER_WEBHOOKS
    got = received(as_record(sent))
    assert (got.payment_id, got.event_id, got.input.received_at) == (ONE, "look_1", clock.now)


async def test_final_payments_and_those_without_an_object_are_not_looked_up(
    sweeping: Sweeping, pool: Pool, clock: Clock
) -> None:
    """There is nothing to learn, or nothing to look up."""
    await process_status(pool, "succeeded", ONE)
    await database.process(pool, Log().create(TWO))
    clock.forward(2 * SILENT_S)
    assert await sweeping.round() == []
    assert sweeping.provider.retrieved == []


async def test_every_page_of_unfinished_payments_is_looked_up(
    own_database: str, pool: Pool, clock: Clock
) -> None:
    """Each object once, over several pages."""
    ids_ = [payment(f"unfinished {n}") for n in range(5)]
    await process_status(pool, "processing", *ids_)
    clock.forward(2 * SILENT_S)
    sweeping = Sweeping(own_database, pool, clock, reconcile_page=2)
    sweeping.provider.objects = {object_of(one): event(one, f"look_{one}") for one in ids_}
    assert len(await sweeping.round()) == 5
    assert sorted(sweeping.provider.retrieved) == sorted(map(object_of, ids_))


async def test_a_failing_look_up_stops_no_other(
    sweeping: Sweeping, pool: Pool, clock: Clock
) -> None:
    """The failure is counted, and the object is looked up again in the next round."""
    first, second = sorted([ONE, TWO])
    await process_status(pool, "processing", ONE, TWO)
    clock.forward(2 * SILENT_S)
    sweeping.provider.objects = {
        object_of(first): UNAVAILABLE,
        object_of(second): event(second, "look"),
    }
    assert event_ids(await sweeping.round()) == ["look"]
    assert sweeping.errors("object") == 1


async def test_single_failing_look_ups_end_no_round(
    sweeping: Sweeping, pool: Pool, clock: Clock
) -> None:
    """Only failures in a row end it: a single one does not show that the provider is down."""
    payments = sorted(payment(f"scattered {n}") for n in range(2 * FAILURES_MAX))
    await process_status(pool, "processing", *payments)
    clock.forward(2 * SILENT_S)
    good = payments[1::2]
    sweeping.provider.objects = {object_of(one): UNAVAILABLE for one in payments}
    sweeping.provider.objects |= {object_of(one): event(one, f"look_{one}") for one in good}
    assert event_ids(await sweeping.round()) == [f"look_{one}" for one in good]
    assert sweeping.errors("objects") is None


async def test_a_provider_is_asked_only_for_its_own_objects(
    sweeping: Sweeping, pool: Pool, clock: Clock
) -> None:
    """It does not know another provider's objects."""
    await process_status(pool, "processing", ONE)
    await database.rows(pool, "update payments set provider = 'examplepay' returning 1")
    clock.forward(2 * SILENT_S)
    assert await sweeping.round() == []
    assert sweeping.provider.retrieved == []


async def test_a_new_leader_continues_where_the_last_one_stopped(
    sweeping: Sweeping, pool: Pool, clock: Clock, own_database: str
) -> None:
    """Otherwise the last payments would get no turn if a round outlasts its leader."""
    payments = sorted(payment(f"resumed {n}") for n in range(5))
    await process_status(pool, "processing", *payments)
    clock.forward(SILENT_S + 1)
    first = Sweeping(own_database, pool, clock, reconcile_page=2)
    looks = {object_of(one): event(one, f"look_{one}", ours=False) for one in payments}
    first.provider.objects.update(looks)
    first.outbox.failures = [None, None, PublishError("no acknowledgement")]
    assert len(await first.round()) == 2
    sweeping.provider.objects.update(looks)
    assert event_ids(await sweeping.round()) == [f"look_{one}" for one in payments[2:]]
    assert event_ids(await sweeping.round()) == [f"look_{one}" for one in payments]


async def test_after_failures_in_a_row_the_next_round_continues_after_them(
    sweeping: Sweeping, pool: Pool, clock: Clock
) -> None:
    """Otherwise a few failing objects would block all others for ever."""
    payments = sorted(payment(f"failing {n}") for n in range(FAILURES_MAX + 2))
    await process_status(pool, "processing", *payments)
    clock.forward(SILENT_S + 1)
    looks = {object_of(one): event(one, f"look_{one}", ours=False) for one in payments}
    sweeping.provider.objects.update(dict.fromkeys(looks, UNAVAILABLE))
    assert await sweeping.round() == []
    sweeping.provider.objects.update(looks)
    assert event_ids(await sweeping.round()) == [f"look_{one}" for one in payments[FAILURES_MAX:]]


async def test_a_sweep_respects_the_configured_rate(
    pool: Pool, clock: Clock, own_database: str
) -> None:
    """Provider calls share the provider's rate limit."""
    payments = [payment(f"paced {n}") for n in range(3)]
    await process_status(pool, "processing", *payments)
    clock.forward(SILENT_S + 1)
    paced = Sweeping(own_database, pool, clock, reconcile_per_s=20.0)
    for one in payments:
        paced.provider.objects[object_of(one)] = event(one, f"look_{one}", ours=False)
    started = time.monotonic()
    assert len(await paced.round()) == 3
    assert time.monotonic() - started >= 3 / 20
