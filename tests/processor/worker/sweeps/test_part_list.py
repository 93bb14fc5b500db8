"""A provider's list of refunds and disputes has what no event ever reported."""

import json
from datetime import timedelta
from typing import Final

import pytest

from ports.errors import PublishError
from ports.provider import FetchedEvent, ProviderUnavailableError
from postgres.stores import Pool
from providers.stripe.webhooks import read
from schemas.topics import PROVIDER_WEBHOOKS
from tests.support import database
from tests.support.builders import AMOUNT, NOW, Clock, Log, object_of
from tests.support.programs.folding import ONE, TWO
from tests.support.programs.sweeping import Sweeping, as_record, event_ids, process_status

pytestmark = pytest.mark.anyio

DAY_S: Final = 86_400.0


def refund(payment_id: str, ref: str, status: str = "succeeded", digest: str = "a") -> FetchedEvent:
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
                "currency": "eur",
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


async def test_a_reading_that_did_not_end_begins_again(
    sweeping: Sweeping, pool: Pool, clock: Clock
) -> None:
    """Nothing of it is lost: the brokers or the provider were away."""
    await process_status(pool, "succeeded", ONE)
    pages: list[list[FetchedEvent]] = [[refund(ONE, "re_1")], [refund(ONE, "re_2")]]
    sweeping.provider.new_parts = [pages[0], ProviderUnavailableError("down")]
    assert event_ids(await sweeping.round()) == ["re_1.a"]
    sweeping.provider.new_parts = pages
    sweeping.outbox.failures = [PublishError("no acknowledgement")]
    assert await sweeping.round() == []
    assert sweeping.errors("parts/stripe") == 2
    assert event_ids(await sweeping.round()) == ["re_1.a", "re_2.a"]
    clock.forward(60)
    assert await sweeping.round() == []
