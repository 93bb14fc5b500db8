"""What comes for an account that the stream does not know waits, and holds up no other account."""

import json

import pytest
from msgspec.structs import replace

from ports.records import ConsumedRecord
from postgres.stores import Pool
from schemas import headers
from tests.processor.accounts.records import (
    KNOWING,
    LACKING,
    SECOND,
    SHOP,
    at_second,
    inputs,
    of_account,
    process,
    quarantined,
    status,
)
from tests.support import database
from tests.support.builders import Log, event_body
from tests.support.programs.folding import ONE, TWO

pytestmark = pytest.mark.anyio

SUCCEEDED = f"{SECOND}.payment_intent.succeeded"
UNREAD = f"{SECOND}.unread"


def again(log: Log, record: ConsumedRecord) -> ConsumedRecord:
    """A waiting record, sent again because its account has become known."""
    sent = log.again(record)
    return replace(sent, headers={**sent.headers, headers.AGAIN: "true"})


@pytest.mark.parametrize("why", ["its account was removed", "its form is not read any more"])
async def test_what_waits_of_one_account_stops_no_payment_of_another(pool: Pool, why: str) -> None:
    """Anybody with an account can name a payment of ours before it is here."""
    log = Log()
    await process(pool, KNOWING, at_second(log.webhook(ONE, "succeeded", "evt_1")))
    if why == "its form is not read any more":
        await database.rows(pool, "update inbox set value = '{' returning 1")
    kept = LACKING if why == "its account was removed" else KNOWING
    await process(pool, kept, log.create(ONE), log.result(ONE), log.webhook(ONE, "succeeded"))
    assert await quarantined(pool) == []
    assert await status(pool, ONE) == "SUCCEEDED"
    assert [outcome for _, outcome in await inputs(pool)].count("conflict") == 1


async def test_what_can_not_be_read_of_one_payment_hides_nothing_of_another(pool: Pool) -> None:
    """Both waited, and both are created by one batch: only the one is quarantined."""
    log = Log()
    waits = {each: at_second(log.webhook(each, "succeeded")) for each in (ONE, TWO)}
    await process(pool, KNOWING, *waits.values())
    first = "update inbox set value = '{' where payment_id = %s returning 1"
    await database.rows(pool, first, ONE)
    creates = [log.create(each, provider=SECOND) for each in (ONE, TWO)]
    await process(pool, KNOWING, *creates)
    assert await quarantined(pool) == [ONE]
    assert await status(pool, TWO) == "SUCCEEDED"


async def test_its_events_wait_for_the_account_and_are_no_dead_letters(pool: Pool) -> None:
    """The ingress had the account before the stream. Others' events of the batch are decided."""
    log = Log()
    await process(
        pool,
        LACKING,
        log.create(ONE, provider=SECOND),
        at_second(log.webhook(ONE, "succeeded", "evt_1")),
        log.create(TWO),
        log.webhook(TWO, "succeeded"),
    )
    assert (await status(pool, ONE), await status(pool, TWO)) == ("CREATED", "SUCCEEDED")
    ((kind, reason, value),) = await database.rows(
        pool, "select kind, reason, value from inbox where outcome = 'parked'"
    )
    assert (kind, reason) == (
        UNREAD,
        "the file of accounts, as the stream has it, has no account second yet",
    )
    assert value is not None


@pytest.mark.parametrize("times", [1, 2])
async def test_they_are_decided_once_the_account_is_known(pool: Pool, times: int) -> None:
    """All that waits for the payment is, however often one of its records is sent again."""
    log = Log()
    first = at_second(log.webhook(ONE, "requires_capture", "evt_1"))
    last = at_second(log.webhook(ONE, "succeeded", "evt_2"))
    await process(pool, LACKING, log.create(ONE, provider=SECOND), first, last)
    sent = [again(log, first) for _ in range(times)]
    await process(pool, LACKING, *sent)
    assert [outcome for _, outcome in await inputs(pool)].count("parked") == 2
    for each in sent:
        await process(pool, KNOWING, again(log, first), each)
    assert await status(pool, ONE) == "SUCCEEDED"
    assert sorted(await inputs(pool)) == [
        ("command.create", "applied"),
        (f"{SECOND}.payment_intent.created", "applied"),
        (SUCCEEDED, "applied"),
    ]
    assert await database.rows(pool, "select 1 from inbox where value is not null") == []


@pytest.mark.parametrize("sent", ["the payment's event", "the refund's event"])
async def test_with_one_record_all_that_waits_for_the_payment_is_decided(
    pool: Pool, sent: str
) -> None:
    """Whichever it is, and whatever it says itself."""
    log = Log()
    paid = at_second(log.webhook(ONE, "succeeded", "evt_1"))
    refund = log.refund_event(ONE, "re_1", "succeeded", 300)
    body = json.loads(refund.value) | {"id": "evt_2"}
    refunded = at_second(log.event(ONE, body))
    await process(pool, LACKING, log.create(ONE, provider=SECOND), refunded, paid)
    await process(pool, LACKING, log.result(ONE, provider=SECOND))
    await process(pool, KNOWING, again(log, paid if sent == "the payment's event" else refunded))
    assert await status(pool, ONE) == "SUCCEEDED"
    assert await database.rows(pool, "select amount from refunds") == [(300,)]


async def test_a_create_takes_up_what_came_while_its_account_was_unknown(pool: Pool) -> None:
    """Nothing is sent again for that: the account is known by then."""
    log = Log()
    await process(pool, LACKING, at_second(log.webhook(ONE, "succeeded", "evt_1")))
    await process(pool, LACKING, log.webhook(TWO, "succeeded"))
    await process(pool, KNOWING, log.create(ONE, provider=SECOND))
    assert await status(pool, ONE) == "SUCCEEDED"
    assert (SUCCEEDED, "applied") in await inputs(pool)


async def test_before_its_payment_is_here_it_goes_on_waiting(pool: Pool) -> None:
    """For the payment, now that it can be read."""
    log = Log()
    waits = at_second(log.webhook(ONE, "succeeded", "evt_1"))
    await process(pool, LACKING, waits)
    await process(pool, KNOWING, again(log, waits))
    assert await inputs(pool) == [(SUCCEEDED, "parked")]


async def test_a_quarantine_is_not_ended_by_an_account_that_becomes_known(pool: Pool) -> None:
    """Only an operator ends it; what waits is decided then."""
    log = Log()
    waits = at_second(log.webhook(ONE, "succeeded", "evt_1"))
    await process(pool, LACKING, log.create(ONE, provider=SECOND), waits)
    hold = "insert into quarantines values (%s, 'evt_bad', 'a defect', now()) returning 1"
    await database.rows(pool, hold, ONE)
    before = await database.rows(pool, "select i::text from inbox i order by 1")
    await process(pool, KNOWING, again(log, waits))
    assert await database.rows(pool, "select i::text from inbox i order by 1") == before
    assert (await quarantined(pool), await status(pool, ONE)) == ([ONE], "CREATED")
    await process(pool, KNOWING, log.release(ONE))
    assert (await quarantined(pool), await status(pool, ONE)) == ([], "SUCCEEDED")


async def test_what_turns_out_to_be_no_event_has_no_effect(pool: Pool) -> None:
    """It would have been a dead letter. It holds up nothing that waits beside it."""
    log = Log()
    no_event = replace(at_second(log.webhook(ONE, "succeeded", "evt_1")), value=b"[]")
    proper = at_second(log.webhook(ONE, "succeeded", "evt_2"))
    await process(pool, LACKING, log.create(ONE, provider=SECOND), no_event, proper)
    await process(pool, KNOWING, again(log, no_event))
    assert await quarantined(pool) == []
    assert await status(pool, ONE) == "SUCCEEDED"
    found = "select event_id, outcome, reason from inbox where kind = %s"
    ((event_id, outcome, reason),) = await database.rows(pool, found, UNREAD)
    assert (event_id, outcome) == ("second:evt_1@provider-webhooks/0/0", "ignored")
    assert reason.startswith("unread: it can't be decoded: not a Stripe event")


async def test_what_was_taken_in_for_its_platform_comes_from_the_connected_accounts_list(
    pool: Pool,
) -> None:
    """The ingress did not know the connected account yet. Its event ID was not used up."""
    log = Log()
    event = event_body(ONE, "succeeded", "evt_1") | {"account": "acct_3"}
    taken_in, listed = (of_account(name, log.event(ONE, event)) for name in (SECOND, SHOP))
    await process(pool, KNOWING, taken_in, log.create(ONE, provider=SHOP))
    assert await status(pool, ONE) == "CREATED"
    await process(pool, KNOWING, listed)
    assert await status(pool, ONE) == "SUCCEEDED"
