"""A provider's list of refunds and disputes has what no event ever reported."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Final

import pytest

from ports.errors import PublishError
from ports.provider import FetchedEvent, NotPermittedError, ProviderUnavailableError
from ports.records import DeadLetter
from postgres.stores import Pool
from providers.stripe.webhooks import read
from schemas import headers
from schemas.topics import BODY_BYTES_MAX, DEAD_LETTERS, PROVIDER_WEBHOOKS
from tests.support import database
from tests.support.builders import AMOUNT, DECODER, NOW, Clock, Log, object_of
from tests.support.programs.folding import ONE, TWO
from tests.support.programs.sweeping import Sweeping, as_record, event_ids, process_status

pytestmark = pytest.mark.anyio

DAY_S: Final = 86_400.0


def refund(
    payment_id: str,
    ref: str,
    status: str = "succeeded",
    digest: str = "a",
    currency: str = "eur",
) -> FetchedEvent:
    """A refund as a list has it; ``digest`` stands for its content."""
    body = {
        "id": f"{ref}.{digest}",
        "type": "refund.retrieved",
        "created": int(NOW.timestamp()),
        "livemode": False,
        "data": {
            "object": {
                "id": ref,
                "object": "refund",
                "status": status,
                "amount": AMOUNT // 10,
                "currency": currency,
                "payment_intent": object_of(payment_id),
            }
        },
        "request": None,
    }
    encoded = json.dumps(body).encode()
    return FetchedEvent(read(encoded), encoded, NOW)


async def refunds_of(pool: Pool, payment_id: str) -> list[tuple[str, int]]:
    """The refunds that a payment shows."""
    found = await database.rows(
        pool,
        f"select status, amount from refunds where payment_id = '{payment_id}'",  # noqa: S608  # our own
    )
    return [(row[0], row[1]) for row in found]


async def test_a_refund_that_no_event_reported_reaches_its_payment(
    sweeping: Sweeping, pool: Pool, clock: Clock
) -> None:
    """A hundred days later, too: the payment is final, so nothing else looks at it."""
    await process_status(pool, "succeeded", ONE)
    clock.forward(100 * DAY_S)
    sweeping.provider.new_parts = [[refund(ONE, "re_1")]]
    (sent,) = await sweeping.round()
    assert (sent.topic, sent.key) == (PROVIDER_WEBHOOKS, ONE.encode())
    await database.process(pool, as_record(sent))
    assert await refunds_of(pool, ONE) == [("SUCCEEDED", AMOUNT // 10)]


async def test_a_part_that_is_known_leaves_no_record(
    sweeping: Sweeping, pool: Pool, clock: Clock
) -> None:
    """However it became known: by a webhook, or by an earlier reading."""
    log = Log()
    await database.process(pool, log.create(ONE), log.webhook(ONE, "succeeded"))
    await database.process(pool, log.refund_event(ONE, "re_1", "succeeded", AMOUNT // 10))
    sweeping.provider.new_parts = [[refund(ONE, "re_1")]]
    assert await sweeping.round() == []
    sweeping.provider.new_parts = [[refund(ONE, "re_1"), refund(ONE, "re_2")]]
    clock.forward(DAY_S + 1)
    (sent,) = await sweeping.round()
    await database.process(pool, as_record(sent))
    clock.forward(DAY_S + 1)
    assert await sweeping.round() == []


async def test_what_contradicts_a_payment_is_published_once(
    sweeping: Sweeping, pool: Pool, clock: Clock
) -> None:
    """It has an outcome after that, so the next reading passes it."""
    log = Log()
    await database.process(pool, log.create(ONE), log.webhook(ONE, "succeeded"))
    late = refund(ONE, "re_1", "not a status")
    sweeping.provider.new_parts = [[late]]
    assert event_ids(await sweeping.round()) == ["re_1.a"]
    await database.rows(
        pool,
        f"""insert into inbox (event_id, payment_id, kind, topic, partition, "offset", received_at,
                recorded_at, outcome, reason)
            values ('re_1.a', '{ONE}', 'refund', 't', 0, 99, now(), now(), 'conflict', '')
            returning 1""",  # noqa: S608  # our own
    )
    clock.forward(DAY_S + 1)
    assert await sweeping.round() == []


async def test_parts_of_objects_that_no_payment_has_are_passed(
    sweeping: Sweeping, pool: Pool
) -> None:
    """Others' refunds leave no record, and hide none of ours in the same page."""
    await process_status(pool, "succeeded", ONE)
    sweeping.provider.new_parts = [[refund(TWO, "re_theirs"), refund(ONE, "re_1")]]
    assert event_ids(await sweeping.round()) == ["re_1.a"]


async def test_the_list_is_read_once_a_day_whoever_leads(pool: Pool, clock: Clock) -> None:
    """It goes back for as long as a refund or dispute may change."""
    leaders = [Sweeping(pool, clock, parts_window_s=90 * DAY_S) for _ in range(2)]
    for at_s, asked in ((0.0, 1), (DAY_S - 1, 0), (1.0, 1)):
        clock.forward(at_s)
        for each in leaders:
            each.provider.parts_asked.clear()
            await each.round()
        since = [at for each in leaders for at in each.provider.parts_asked]
        assert since == [clock.now - timedelta(days=90)] * asked


async def test_a_reading_in_the_future_counts_as_none(sweeping: Sweeping, clock: Clock) -> None:
    """The clock was ahead, and was set back: the list is not left unread until it is reached."""
    clock.forward(100 * DAY_S)
    await sweeping.round()
    clock.forward(-100 * DAY_S)
    for asked in (2, 2):
        await sweeping.round()
        assert len(sweeping.provider.parts_asked) == asked
    assert sweeping.provider.parts_asked[-1] == NOW - timedelta(days=180)


async def test_a_reading_that_did_not_end_goes_on_where_it_ended(
    sweeping: Sweeping, pool: Pool, clock: Clock
) -> None:
    """Also under another leader. Nothing is lost: the brokers or the provider were away."""
    await process_status(pool, "succeeded", ONE)
    pages: list[list[FetchedEvent]] = [[refund(ONE, "re_1")], [refund(ONE, "re_2")]]
    sweeping.provider.new_parts = [pages[0], ProviderUnavailableError("down")]
    assert event_ids(await sweeping.round()) == ["re_1.a"]
    sweeping.provider.new_parts = pages
    sweeping.outbox.failures = [PublishError("no acknowledgement")]
    assert await sweeping.round() == []
    assert sweeping.errors("parts/stripe/refunds") == 2
    another = Sweeping(pool, clock)
    another.provider.new_parts = pages
    clock.forward(60)
    assert event_ids(await another.round()) == ["re_2.a"]
    assert sweeping.provider.parts_after + another.provider.parts_after == [None, "1", "1"]
    since = {*sweeping.provider.parts_asked, *another.provider.parts_asked}
    assert since == {NOW - timedelta(days=180)}
    clock.forward(60)
    assert await another.round() == []
    assert len(another.provider.parts_asked) == 1


async def test_a_reading_that_did_not_end_for_a_day_begins_again(
    sweeping: Sweeping, pool: Pool, clock: Clock
) -> None:
    """What it read first may have changed since."""
    await process_status(pool, "succeeded", ONE)
    sweeping.provider.new_parts = [[refund(ONE, "re_1")], ProviderUnavailableError("down")]
    assert event_ids(await sweeping.round()) == ["re_1.a"]
    clock.forward(DAY_S)
    sweeping.provider.new_parts = [[refund(ONE, "re_1", digest="b")], [refund(ONE, "re_2")]]
    assert event_ids(await sweeping.round()) == ["re_1.b", "re_2.a"]


async def test_a_kind_that_fails_holds_no_other_up(pool: Pool, clock: Clock) -> None:
    """Each has its own progress, and is tried again by itself."""
    sweeping = Sweeping(pool, clock, part_kinds=("disputes", "refunds"))
    await process_status(pool, "succeeded", ONE)
    sweeping.provider.other_parts = {"disputes": [ProviderUnavailableError("down")]}
    sweeping.provider.new_parts = [[refund(ONE, "re_1")]]
    assert event_ids(await sweeping.round()) == ["re_1.a"]
    await sweeping.round()
    assert sweeping.errors("parts/stripe/disputes") == 2
    assert sweeping.errors("parts/stripe/refunds") is None
    sweeping.provider.other_parts = {"disputes": []}
    sweeping.provider.parts_asked.clear()
    for _ in range(2):
        await sweeping.round()
    assert len(sweeping.provider.parts_asked) == 1, "that of the disputes"


async def test_a_kind_that_our_key_may_not_read_is_asked_for_once_a_day(
    pool: Pool, clock: Clock
) -> None:
    """It is counted by its name, and is no failure that is tried again. The others are read."""
    sweeping = Sweeping(pool, clock, part_kinds=("disputes", "refunds"))
    await process_status(pool, "succeeded", ONE)
    sweeping.provider.other_parts = {"disputes": [NotPermittedError("HTTP 403")]}
    sweeping.provider.new_parts = [[refund(ONE, "re_1")]]
    assert event_ids(await sweeping.round()) == ["re_1.a"]
    for day in (1, 2):
        for _ in range(3):
            await sweeping.round()
        assert not_permitted(sweeping, "disputes") == day
        assert len(sweeping.provider.parts_asked) == 2 * day
        clock.forward(DAY_S)
    assert sweeping.errors("parts/stripe/disputes") is None
    assert not_permitted(sweeping, "refunds") is None
    restarted = Sweeping(pool, clock, part_kinds=("disputes", "refunds"))
    restarted.provider.other_parts = {"disputes": []}
    await restarted.round()
    assert len(restarted.provider.parts_asked) == 2, "a key may have been given the right"


def not_permitted(sweeping: Sweeping, kind: str) -> float | None:
    """How often the provider refused to list a kind to our key."""
    labels = {"provider": "stripe", "kind": kind}
    return sweeping.registry.get_sample_value("payments_parts_not_permitted_total", labels)


async def test_a_part_that_gets_no_outcome_is_published_once(
    sweeping: Sweeping, pool: Pool, clock: Clock
) -> None:
    """What can't be decoded becomes a dead letter, and what is refused leaves its ID free."""
    await process_status(pool, "succeeded", ONE)
    odd = refund(ONE, "re_odd")
    odd = replace(odd, body=odd.body.replace(b'"amount": 100', b'"amount": "many"'))
    sweeping.provider.new_parts = [[odd, refund(ONE, "re_other", currency="usd")]]
    sent = await sweeping.round()
    assert event_ids(sent) == ["re_odd.a", "re_other.a"]
    assert isinstance(DECODER.decode(as_record(sent[0])), DeadLetter)
    await database.process(pool, as_record(sent[1]))
    (refused,) = await database.rows(pool, "select event_id from inbox where event_id ~ '^re_'")
    assert refused[0].startswith("re_other.a@")
    for each in (sweeping, Sweeping(pool, clock)):
        each.provider.new_parts = sweeping.provider.new_parts
        clock.forward(DAY_S + 1)
        assert await each.round() == []
        assert len(each.provider.parts_asked) == len(each.provider.parts_after) > 0


async def test_a_part_too_large_for_a_topic_is_a_dead_letter(
    sweeping: Sweeping, pool: Pool, clock: Clock
) -> None:
    """Once. It stops no other, and is counted."""
    await process_status(pool, "succeeded", ONE)
    large = replace(refund(ONE, "re_large"), body=b"[%s0]" % (b"0," * BODY_BYTES_MAX))
    sweeping.provider.new_parts = [[large, refund(ONE, "re_1")]]
    sent = await sweeping.round()
    assert [each.topic for each in sent] == [DEAD_LETTERS, PROVIDER_WEBHOOKS]
    named = headers.as_text(sent[0].headers)
    assert named[headers.OBJECT_ID] == object_of(ONE)
    assert "a topic takes 1000000" in named[headers.ERROR]
    assert sweeping.dead_letters() == 1
    clock.forward(DAY_S + 1)
    assert await sweeping.round() == []
    assert sweeping.dead_letters() == 1
