"""A notice of an event that was never made brings the look at its payment forward."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

import pytest

from ports.notices import Gap, NoGap
from ports.provider import (
    FetchedEvent,
    MissingError,
    NotPermittedError,
    ProviderUnavailableError,
)
from ports.work_items import Followed, KeptNotice
from postgres.notices import PostgresNotices
from postgres.stores import Pool, PostgresRouting
from processor.worker.sweeps import notices, schedule
from providers.stripe.translate import RETRIEVED
from providers.stripe.webhooks import read
from tests.processor.worker.sweeps.test_part_list import refund, refunds_of
from tests.support import database
from tests.support.builders import NOW, Clock, event_body, object_of
from tests.support.programs.folding import ONE, TWO
from tests.support.programs.sweeping import Sweeping, as_record, event, event_ids, process_status

pytestmark = pytest.mark.anyio

NOTICE: Final = "evt_65thin"
ENDED = "select outcome, reason, attempts from notices where event_id = %s"


def state_of(payment_id: str, status: str = "succeeded") -> FetchedEvent:
    """The present state of a payment's object."""
    seen = event_body(payment_id, status, f"pi.{status}") | {"type": RETRIEVED, "request": None}
    body = json.dumps(seen).encode()
    return FetchedEvent(read(body), body, NOW)


def gap(**changes: Any) -> Gap:
    """A refund of which no event was made."""
    own = Gap(provider="stripe", kind="refund", object_id="re_1", since=None)
    return replace(own, **changes)


async def keep(pool: Pool, *event_ids: str, context: str | None = None) -> None:
    """Stores notices, as the router does."""
    kept = [KeptNotice(each, "stripe", "a.kind", context, NOW) for each in event_ids or (NOTICE,)]
    await PostgresRouting(pool).keep_notices(kept, NOW)


async def follow(sweeping: Sweeping) -> None:
    """Runs the sweep over notices once."""
    (sweep,) = [s for s in sweeping.reconciler.sweeps if s.name == "notices/stripe"]
    await sweeping.reconciler.run(sweep)


async def outcome(pool: Pool, event_id: str = NOTICE) -> tuple[str | None, str | None, int]:
    """What became of a notice, why, and how often its content could not be had."""
    ((ended, reason, attempts),) = await database.rows(pool, ENDED, event_id)
    return ended, reason, attempts


async def wished(pool: Pool) -> list[str]:
    """The payments of which a look is wished for."""
    found = await database.rows(
        pool, "select payment_id from looks where wished_at is not null order by 1"
    )
    return [payment_id for (payment_id,) in found]


@pytest.fixture
async def ended(sweeping: Sweeping, pool: Pool) -> Sweeping:
    """A payment that has succeeded, and a notice of a refund of it that nothing reported."""
    await process_status(pool, "succeeded", ONE)
    await keep(pool)
    sweeping.finder.contents = {NOTICE: [gap()]}
    sweeping.finder.owners = {"re_1": object_of(ONE)}
    sweeping.provider.objects = {object_of(ONE): state_of(ONE)}
    sweeping.provider.parts = {object_of(ONE): [[refund(ONE, "re_1")]]}
    return sweeping


async def test_a_payment_that_has_ended_is_looked_at_with_its_parts(
    ended: Sweeping, pool: Pool
) -> None:
    """No event reports its refund, and no look would be due for it any more."""
    await follow(ended)
    assert await outcome(pool) == ("looked", "no event was made of refund re_1", 0)
    sent = await ended.round()
    assert event_ids(sent) == ["re_1.a"]
    await database.process(pool, *map(as_record, sent))
    assert await refunds_of(pool, ONE) == [("SUCCEEDED", 100)]


async def test_it_is_looked_at_once(ended: Sweeping, pool: Pool, clock: Clock) -> None:
    """The same notice again changes nothing, and the look ends as of any payment."""
    await follow(ended)
    await ended.round()
    await keep(pool)
    await follow(ended)
    assert (ended.finder.asked, ended.finder.resolved) == ([(NOTICE, None)], ["re_1"])
    clock.forward(2 * 86_400)
    await ended.round()
    assert ended.provider.retrieved == [object_of(ONE)]
    assert await database.rows(pool, "select 1 from looks") == []


async def test_an_unfinished_payment_is_looked_at_long_before_its_next_look(
    sweeping: Sweeping, pool: Pool, clock: Clock
) -> None:
    """Its look may be a day away."""
    await process_status(pool, "requires_capture", ONE)
    sweeping.provider.objects = {object_of(ONE): state_of(ONE, "requires_capture")}
    clock.forward(121)
    await sweeping.round()
    await sweeping.round()
    assert len(sweeping.provider.retrieved) == 1
    assert object_of(ONE) not in sweeping.provider.parts_asked
    await keep(pool)
    own = gap(kind="payment_intent", object_id=object_of(ONE))
    sweeping.finder.contents = {NOTICE: [own]}
    sweeping.finder.owners = {object_of(ONE): object_of(ONE)}
    sweeping.provider.objects = {object_of(ONE): state_of(ONE, "canceled")}
    await follow(sweeping)
    assert event_ids(await sweeping.round()) == ["pi.canceled"]


async def test_what_the_payment_shows_already_is_not_published(ended: Sweeping, pool: Pool) -> None:
    """An event may have come all the same."""
    await follow(ended)
    sent = await ended.round()
    await database.process(pool, *map(as_record, sent))
    await keep(pool, "evt_again")
    ended.finder.contents["evt_again"] = [gap()]
    await follow(ended)
    assert await ended.round() == []
    assert await outcome(pool, "evt_again") == ("looked", "no event was made of refund re_1", 0)


async def test_a_look_that_failed_stays_wished_for(
    ended: Sweeping, pool: Pool, clock: Clock
) -> None:
    """Also where the object was seen, and its parts were not."""
    await follow(ended)
    for failing in ("objects", "parts"):
        answers = {object_of(ONE): state_of(ONE)} if failing == "parts" else {}
        gone = ProviderUnavailableError("down")
        ended.provider.objects = {object_of(ONE): gone, **answers}
        ended.provider.parts = {object_of(ONE): [gone]}
        assert await ended.round() == []
        assert await wished(pool) == [ONE]
        clock.forward(121)
    ended.provider.parts = {object_of(ONE): [[refund(ONE, "re_1")]]}
    assert event_ids(await ended.round()) == ["re_1.a"]
    assert await wished(pool) == []


async def test_parts_that_our_key_may_not_read_end_the_look(ended: Sweeping, pool: Pool) -> None:
    """What it may read was published, and the next look would be refused too."""
    await follow(ended)
    refused = NotPermittedError("no right")
    ended.provider.parts = {object_of(ONE): [[refund(ONE, "re_1")], refused]}
    assert event_ids(await ended.round()) == ["re_1.a"]
    assert await wished(pool) == []


async def test_a_wish_that_comes_during_a_look_stays(ended: Sweeping, pool: Pool) -> None:
    """The look may have been taken too early for it."""
    await follow(ended)
    (look,) = await ended.store.due_looks("stripe", NOW, 10)
    await keep(pool, "evt_again")
    ended.finder.contents["evt_again"] = [gap()]
    await follow(ended)
    await ended.store.note_looks([schedule.taken(look, None, timedelta(seconds=120), NOW)])
    assert await wished(pool) == [ONE]
    assert event_ids(await ended.round()) == ["re_1.a"]


async def test_a_wish_that_comes_before_a_look_is_ended_stays(ended: Sweeping, pool: Pool) -> None:
    """The look of a payment that has ended was due without it, and is ended as not needed."""
    await follow(ended)
    await ended.store.end_looks([ONE])
    assert await wished(pool) == [ONE]
    assert event_ids(await ended.round()) == ["re_1.a"]


async def test_a_notice_stays_as_it_ended(ended: Sweeping, pool: Pool) -> None:
    """Another worker, that led before, may still follow it."""
    await follow(ended)
    before = await outcome(pool)
    late = Followed(NOTICE, "its content could not be had", is_given_up=True)
    await PostgresNotices(pool).end_notice(late, NOW)
    assert await outcome(pool) == before


@pytest.mark.parametrize(
    ("content", "owner", "reason"),
    [
        (NoGap("an event of this type has no effect"), None, "an event of this type has no effect"),
        (gap(), None, "no event was made of refund re_1, which belongs to no payment"),
        (gap(), MissingError("gone"), "which the provider does not have any more"),
        (gap(), "pi_of_others", "no payment of ours has the object pi_of_others"),
    ],
)
async def test_a_notice_about_no_payment_of_ours_is_ignored_with_its_reason(
    ended: Sweeping, pool: Pool, content: Gap | NoGap, owner: Any, reason: str
) -> None:
    """Others use the account too."""
    ended.finder.contents = {NOTICE: [content]}
    ended.finder.owners = {"re_1": owner}
    await follow(ended)
    got, why, _ = await outcome(pool)
    assert got == "ignored"
    assert why is not None
    assert why.endswith(reason)
    assert (await wished(pool), await ended.round()) == ([], [])
    labels = {"provider": "stripe", "outcome": "ignored"}
    assert ended.registry.get_sample_value("payments_notices_total", labels) == 1


async def test_a_content_of_another_account_is_counted(ended: Sweeping, pool: Pool) -> None:
    """It has no effect."""
    ended.finder.contents = {NOTICE: [NoGap("it is of another account", is_foreign=True)]}
    await follow(ended)
    assert (await outcome(pool))[0] == "ignored"
    name, labels = "payments_foreign_webhooks_total", {"provider": "stripe"}
    assert ended.registry.get_sample_value(name, labels) == 1
    assert await wished(pool) == []


async def test_a_connected_accounts_object_is_looked_for_in_its_own_name(
    ended: Sweeping, pool: Pool
) -> None:
    """The platform's notice names it; the platform's own payment is no match."""
    ended.finder.contents = {NOTICE: [gap(provider="shop")]}
    ended.shop.owners = {"re_1": object_of(ONE)}
    await follow(ended)
    assert (ended.finder.resolved, ended.shop.resolved) == ([], ["re_1"])
    assert (await outcome(pool))[0] == "ignored"
    assert await wished(pool) == []


async def test_a_content_that_cant_be_had_is_asked_for_later_and_later(
    ended: Sweeping, pool: Pool, clock: Clock
) -> None:
    """With jitter, up to an hour apart, for about a day; then the notice is given up."""
    down = ProviderUnavailableError("down")
    ended.finder.contents = {NOTICE: [down]}
    waits = []
    for tries in range(1, notices.TRIES_MAX + 1):
        await follow(ended)
        assert len(ended.finder.asked) == tries
        await follow(ended)
        assert len(ended.finder.asked) == tries, "not due"
        ((at,),) = await database.rows(pool, "select next_at from notices")
        if at is not None:
            waits.append((at - clock()).total_seconds())
            clock.forward(waits[-1])
    for number, wait_s in enumerate(waits):
        about_s = min(2.0 * 2**number, 3600)
        assert 0.8 * about_s <= wait_s <= 1.2 * about_s
    assert 0.8 < timedelta(seconds=sum(waits)) / timedelta(days=1) < 1.2
    got, why, _ = await outcome(pool)
    assert got == "given_up"
    assert why is not None
    assert "down" in why


async def test_one_that_fails_stops_no_other(ended: Sweeping, pool: Pool) -> None:
    """Not even if our own code fails on it."""
    ended.finder.contents |= {"evt_0": [RuntimeError("defect")], "evt_00": [TimeoutError()]}
    await keep(pool, "evt_0", "evt_00")
    await follow(ended)
    assert (await outcome(pool))[0] == "looked"
    for event_id in ("evt_0", "evt_00"):
        assert await outcome(pool, event_id) == (None, None, 1)
    assert ended.errors("notices") == 2


async def test_what_the_list_had_late_is_read_again_from_the_difficulties_on(
    sweeping: Sweeping, pool: Pool
) -> None:
    """Of what is read again only what has no outcome is published, and it is read again once."""
    await process_status(pool, "requires_capture", ONE, TWO)
    first, last = event(ONE, "evt_1"), event(TWO, "evt_3")
    sweeping.provider.pages = [[first, last]]
    await database.process(pool, *map(as_record, await sweeping.round()))
    begun = NOW - timedelta(hours=30)
    await keep(pool)
    sweeping.finder.contents = {NOTICE: [gap(since=begun)]}
    sweeping.finder.owners = {"re_1": "pi_of_others"}
    await follow(sweeping)
    late = replace(event(ONE, "evt_2"), at=NOW - timedelta(hours=29))
    sweeping.provider.pages = [[late], [first, last]]
    assert event_ids(await sweeping.round()) == ["evt_2"]
    settles = timedelta(seconds=120)
    assert (sweeping.provider.cursors[-1], sweeping.provider.since[-1]) == (None, begun - settles)
    await sweeping.round()
    assert sweeping.provider.since[-1] != begun - settles


@pytest.mark.parametrize(
    ("since", "start"),
    [
        (NOW - timedelta(days=31), NOW - timedelta(days=30)),
        (NOW - timedelta(days=30), NOW - timedelta(days=30)),
        (datetime(1, 1, 1, tzinfo=NOW.tzinfo), NOW - timedelta(days=30)),
        (NOW - timedelta(days=3), NOW - timedelta(days=3, seconds=120)),
    ],
)
async def test_the_list_is_read_again_thirty_days_back_at_most(
    sweeping: Sweeping, pool: Pool, since: datetime, start: datetime
) -> None:
    """No list reaches further."""
    await sweeping.store.write_cursor("stripe", "evt_1", NOW, NOW)
    await keep(pool)
    sweeping.finder.contents = {NOTICE: [gap(since=since)]}
    sweeping.finder.owners = {"re_1": "pi_of_others"}
    await follow(sweeping)
    await sweeping.round()
    assert sweeping.provider.since == [start]


async def test_difficulties_after_the_cursor_move_it_nowhere(
    sweeping: Sweeping, pool: Pool
) -> None:
    """The list is read from there on anyway, and never from later on."""
    await sweeping.store.write_cursor("stripe", "evt_1", NOW, NOW - timedelta(days=2))
    await keep(pool)
    sweeping.finder.contents = {NOTICE: [gap(since=NOW)]}
    sweeping.finder.owners = {"re_1": "pi_of_others"}
    await follow(sweeping)
    await sweeping.round()
    assert sweeping.provider.since == [NOW - timedelta(days=2)]


async def test_a_reading_that_fails_is_begun_again(sweeping: Sweeping, pool: Pool) -> None:
    """From the same time on."""
    await sweeping.store.write_cursor("stripe", "evt_1", NOW, NOW)
    await keep(pool)
    sweeping.finder.contents = {NOTICE: [gap(since=NOW - timedelta(days=1))]}
    sweeping.finder.owners = {"re_1": "pi_of_others"}
    await follow(sweeping)
    sweeping.provider.pages = [ProviderUnavailableError("down")]
    await sweeping.round()
    await sweeping.round()
    assert sweeping.provider.since[0] == sweeping.provider.since[1]


async def test_a_later_wish_to_read_again_is_not_lost(sweeping: Sweeping, pool: Pool) -> None:
    """A notice that is followed during a reading has the list read once more."""
    await keep(pool, "evt_a", "evt_b")
    since = {"evt_a": NOW - timedelta(days=1), "evt_b": NOW - timedelta(hours=1)}
    sweeping.finder.contents = {each: [gap(since=at)] for each, at in since.items()}
    sweeping.finder.owners = {"re_1": "pi_of_others"}
    await follow(sweeping)
    store = PostgresNotices(pool)
    wish = await store.reread_from("stripe")
    assert wish is not None
    assert wish.at == NOW - timedelta(days=1, seconds=120)
    await keep(pool, "evt_c")
    sweeping.finder.contents["evt_c"] = [gap(since=NOW)]
    await follow(sweeping)
    await store.end_rereading("stripe", wish)
    later = await store.reread_from("stripe")
    assert later is not None
    assert later.at == wish.at
    await store.end_rereading("stripe", later)
    assert await store.reread_from("stripe") is None


async def test_a_notice_that_is_not_followed_yet_is_in_the_backlog(
    ended: Sweeping, clock: Clock
) -> None:
    """Its age is what an alert looks at."""
    clock.forward(60)
    ended.finder.contents = {NOTICE: [ProviderUnavailableError("down")]}
    await ended.round()
    assert ended.gauge("payments_backlog_rows", "notice") == 1
    assert ended.age("notice") == 60
