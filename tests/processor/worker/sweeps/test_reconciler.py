"""The reconciler looks up the objects of silent payments."""

import json
import time
from dataclasses import replace
from itertools import pairwise

import pytest

from ports.errors import PublishError
from ports.provider import FetchedEvent, MissingError, ProviderUnavailableError
from postgres.stores import Pool
from processor.worker.sweeps.objects import FAILURES_MAX, LOOKS_AT_ONCE
from providers.stripe.webhooks import read
from schemas.topics import BODY_BYTES_MAX, DEAD_LETTERS, PROVIDER_WEBHOOKS
from tests.support import database
from tests.support.builders import Clock, Log, event_body, object_of, payment, received
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

DAY_S = 86_400.0
UNAVAILABLE = ProviderUnavailableError("down")


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


async def test_every_page_of_unfinished_payments_is_looked_up(pool: Pool, clock: Clock) -> None:
    """Each object once, over several pages."""
    ids_ = [payment(f"unfinished {n}") for n in range(5)]
    await process_status(pool, "processing", *ids_)
    clock.forward(2 * SILENT_S)
    sweeping = Sweeping(pool, clock, reconcile_page=2)
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
    assert sweeping.errors("objects/stripe") is None


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
    sweeping: Sweeping, pool: Pool, clock: Clock
) -> None:
    """Otherwise the last payments would get no turn if a round outlasts its leader."""
    payments = sorted(payment(f"resumed {n}") for n in range(5))
    await process_status(pool, "processing", *payments)
    clock.forward(SILENT_S + 1)
    first = Sweeping(pool, clock, reconcile_page=2)
    looks = {object_of(one): event(one, f"look_{one}", ours=False) for one in payments}
    first.provider.objects.update(looks)
    first.outbox.failures = [None, None, *[PublishError("no acknowledgement")] * 2]
    assert len(await first.round()) == 2
    sweeping.provider.objects.update(looks)
    assert event_ids(await sweeping.round()) == [f"look_{one}" for one in payments[2:]]
    assert await sweeping.round() == []


async def test_after_failures_in_a_row_the_next_round_continues_after_them(
    sweeping: Sweeping, pool: Pool, clock: Clock
) -> None:
    """Otherwise a few failing objects would block all others for ever."""
    payments = sorted(payment(f"failing {n}") for n in range(LOOKS_AT_ONCE + 2))
    await process_status(pool, "processing", *payments)
    clock.forward(SILENT_S + 1)
    looks = {object_of(one): event(one, f"look_{one}", ours=False) for one in payments}
    sweeping.provider.objects.update(dict.fromkeys(looks, UNAVAILABLE))
    assert await sweeping.round() == []
    sweeping.provider.objects.update(looks)
    assert event_ids(await sweeping.round()) == [f"look_{one}" for one in payments[LOOKS_AT_ONCE:]]


async def test_a_sweep_respects_the_configured_rate(pool: Pool, clock: Clock) -> None:
    """Provider calls share the provider's rate limit."""
    payments = [payment(f"paced {n}") for n in range(3)]
    await process_status(pool, "processing", *payments)
    clock.forward(SILENT_S + 1)
    paced = Sweeping(pool, clock, reconcile_per_s=20.0)
    for one in payments:
        paced.provider.objects[object_of(one)] = event(one, f"look_{one}", ours=False)
    started = time.monotonic()
    assert len(await paced.round()) == 3
    assert time.monotonic() - started >= 3 / 20


async def test_an_unchanged_object_is_looked_at_less_and_less_often(
    sweeping: Sweeping, pool: Pool, clock: Clock
) -> None:
    """Nothing is published again. An authorization may wait for a week."""
    await process_status(pool, "requires_capture", ONE)
    sweeping.provider.objects = {object_of(ONE): event(ONE, "look", ours=False)}
    clock.forward(SILENT_S + 1)
    assert event_ids(await sweeping.round()) == ["look"]
    looked = []
    for minute in range(1, 24 * 60):
        clock.forward(60)
        sweeping.provider.retrieved.clear()
        assert await sweeping.round() == []
        looked += [minute] * len(sweeping.provider.retrieved)
    assert looked[:5] == [2, 6, 14, 30, 62]
    assert len(looked) < 30


async def test_a_changed_object_is_published_and_looked_at_soon(
    sweeping: Sweeping, pool: Pool, clock: Clock
) -> None:
    """So is the object of a payment that has changed since the last look."""
    await process_status(pool, "requires_capture", ONE)
    for look, wait_s in (("look_1", SILENT_S), ("look_1", SILENT_S), ("look_2", 2 * SILENT_S)):
        clock.forward(wait_s + 1)
        sweeping.provider.objects = {object_of(ONE): event(ONE, look, ours=False)}
        sent = await sweeping.round()
    assert event_ids(sent) == ["look_2"]
    sweeping.provider.objects = {object_of(ONE): event(ONE, "look_3", ours=False)}
    assert await sweeping.round() == []
    await database.rows(pool, "update payments set version = version + 1 returning 1")
    assert event_ids(await sweeping.round()) == ["look_3"]


async def test_a_payment_that_has_changed_is_looked_at_as_often_as_at_first(
    sweeping: Sweeping, pool: Pool, clock: Clock
) -> None:
    """However rare the looks had become: what has changed once may soon change again."""
    await process_status(pool, "requires_capture", ONE)
    sweeping.provider.objects = {object_of(ONE): event(ONE, "look", ours=False)}
    for _ in range(8):
        clock.forward(86_400)
        await sweeping.round()
    await database.rows(pool, "update payments set version = version + 1 returning 1")
    await sweeping.round()
    sweeping.provider.retrieved.clear()
    clock.forward(4 * SILENT_S)
    await sweeping.round()
    assert len(sweeping.provider.retrieved) == 1


async def test_a_look_whose_result_was_not_published_is_made_again(
    sweeping: Sweeping, pool: Pool, clock: Clock
) -> None:
    """What was found is news until the brokers have it."""
    await process_status(pool, "requires_capture", ONE)
    sweeping.provider.objects = {object_of(ONE): event(ONE, "look", ours=False)}
    clock.forward(SILENT_S + 1)
    sweeping.outbox.failures = [PublishError("no acknowledgement")]
    assert await sweeping.round() == []
    assert event_ids(await sweeping.round()) == ["look"]


async def test_a_state_that_is_known_leaves_no_record(
    sweeping: Sweeping, pool: Pool, clock: Clock
) -> None:
    """However it became known: nothing is published, and the looks become rarer."""
    await process_status(pool, "requires_capture", ONE)
    body = event_body(ONE, "requires_capture", "look", metadata={}) | {"request": None}
    known = json.dumps(body).encode()
    sweeping.provider.objects = {object_of(ONE): FetchedEvent(read(known), known)}
    clock.forward(SILENT_S + 1)
    assert await sweeping.round() == []
    assert sweeping.provider.retrieved == [object_of(ONE)]
    assert await database.rows(pool, "select found, unchanged from looks") == [(None, 1)]


async def test_a_provider_that_is_down_makes_no_look_rarer(
    sweeping: Sweeping, pool: Pool, clock: Clock
) -> None:
    """A failure says nothing of the object."""
    await process_status(pool, "requires_capture", ONE)
    sweeping.provider.objects = {object_of(ONE): UNAVAILABLE}
    for _ in range(5):
        clock.forward(SILENT_S + 1)
        assert await sweeping.round() == []
    assert len(sweeping.provider.retrieved) == 5
    sweeping.provider.objects = {object_of(ONE): event(ONE, "look", ours=False)}
    clock.forward(SILENT_S + 1)
    assert event_ids(await sweeping.round()) == ["look"]


async def test_an_object_that_the_provider_does_not_have_is_as_one_that_is_unchanged(
    sweeping: Sweeping, pool: Pool, clock: Clock
) -> None:
    """Deleted test data, for example. That is an answer: the looks become rarer, and none fails."""
    payments = sorted(payment(f"deleted {n}") for n in range(FAILURES_MAX + 1))
    await process_status(pool, "processing", *payments)
    before = await database.rows(pool, "select document from payments order by payment_id")
    sweeping.provider.objects = {object_of(one): MissingError("no such") for one in payments}
    looked = []
    for minute in range(60):
        clock.forward(60)
        sweeping.provider.retrieved.clear()
        assert await sweeping.round() == []
        looked += [minute] * len(sweeping.provider.retrieved)
    times = sorted(set(looked))
    assert looked == sorted(times * len(payments))
    assert [later - earlier for earlier, later in pairwise(times)] == [4, 8, 16]
    assert (sweeping.errors("objects/stripe"), sweeping.errors("object")) == (None, None)
    assert sweeping.missing_objects() == len(looked)
    assert await database.rows(pool, "select document from payments order by payment_id") == before
    first = payments[0]
    sweeping.provider.objects[object_of(first)] = event(first, "look", ours=False)
    clock.forward(3600)
    assert event_ids(await sweeping.round()) == ["look"]


async def test_an_object_too_large_for_a_topic_is_a_dead_letter(
    sweeping: Sweeping, pool: Pool, clock: Clock
) -> None:
    """Once, for as long as it does not change. That is no failure of the provider's."""
    await process_status(pool, "processing", ONE)
    large = replace(event(ONE, "look", ours=False), body=b"[%s0]" % (b"0," * BODY_BYTES_MAX))
    sweeping.provider.objects = {object_of(ONE): large}
    clock.forward(SILENT_S + 1)
    assert [each.topic for each in await sweeping.round()] == [DEAD_LETTERS]
    clock.forward(DAY_S)
    assert await sweeping.round() == []
    assert (sweeping.dead_letters(), sweeping.errors("object")) == (1, None)


async def test_looks_are_the_next_leaders_too(pool: Pool, clock: Clock) -> None:
    """It neither looks too early nor publishes what was published."""
    await process_status(pool, "requires_capture", ONE)
    clock.forward(SILENT_S + 1)
    leaders = [Sweeping(pool, clock) for _ in range(3)]
    for each in leaders:
        each.provider.objects = {object_of(ONE): event(ONE, "look", ours=False)}
    assert event_ids(await leaders[0].round()) == ["look"]
    assert await leaders[1].round() == []
    assert leaders[1].provider.retrieved == []
    clock.forward(SILENT_S + 1)
    assert await leaders[2].round() == []
    assert leaders[2].provider.retrieved == [object_of(ONE)]


async def test_a_payment_that_has_ended_leaves_the_looks(
    sweeping: Sweeping, pool: Pool, clock: Clock
) -> None:
    """When its look is due. Its object is not asked for."""
    log = Log()
    await database.process(pool, log.create(ONE), log.webhook(ONE, "processing"))
    clock.forward(SILENT_S + 1)
    sweeping.provider.objects = {object_of(ONE): UNAVAILABLE}
    await sweeping.round()
    await database.process(pool, log.webhook(ONE, "succeeded"))
    sweeping.provider.retrieved.clear()
    clock.forward(SILENT_S + 1)
    assert await sweeping.round() == []
    assert sweeping.provider.retrieved == []
    assert await database.rows(pool, "select count(*) from looks") == [(0,)]


async def test_a_payment_whose_document_is_unreadable_stops_no_other(
    sweeping: Sweeping, pool: Pool, clock: Clock
) -> None:
    """What is found about it is published: nobody can say whether it is news."""
    await process_status(pool, "processing", ONE, TWO)
    await database.rows(
        pool,
        f"update payments set document = '[]' where payment_id = '{ONE}' returning 1",  # noqa: S608  # our own
    )
    clock.forward(SILENT_S + 1)
    sweeping.provider.objects = {
        object_of(one): event(one, f"look_{one}", ours=False) for one in (ONE, TWO)
    }
    sent = event_ids(await sweeping.round())
    assert sorted(sent) == sorted([f"look_{ONE}", f"look_{TWO}"])


async def test_an_object_of_an_unforeseen_form_is_published(
    sweeping: Sweeping, pool: Pool, clock: Clock
) -> None:
    """The stream keeps it and says what is wrong with it."""
    await process_status(pool, "processing", ONE)
    body = event_body(ONE, "processing", "look", amount="many") | {"request": None}
    odd = json.dumps(body).encode()
    sweeping.provider.objects = {object_of(ONE): FetchedEvent(read(odd), odd)}
    clock.forward(SILENT_S + 1)
    assert event_ids(await sweeping.round()) == ["look"]
