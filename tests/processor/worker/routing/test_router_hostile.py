"""No record stops the router: one that can't be stored becomes a dead letter."""

import random
import string
from typing import Final

import pytest
from msgspec.structs import replace

from ports.records import ConsumedRecord
from postgres.stores import Pool
from schemas import headers
from schemas.topics import DEAD_LETTERS
from tests.support import database
from tests.support.builders import Clock
from tests.support.log_lines import lines
from tests.support.programs.folding import ONE, TWO
from tests.support.programs.routing import MAX_AGE_S, Routing, payout, unrouted

pytestmark = pytest.mark.anyio

#: Too long for an index of Postgres, and incompressible.
_LONG: Final = "".join(random.Random(1).choices(string.ascii_letters + string.digits, k=9_000))  # noqa: S311  # a seeded choice, no secret
#: By defect: the header, its bytes, and a part of the dead letter's error.
REFUSED: Final = {
    "a very long event ID": (headers.EVENT_ID, _LONG.encode(), "event-id is too long"),
    "a very long object ID": (headers.OBJECT_ID, _LONG.encode(), "object-id is too long"),
    "a very long provider": (headers.PROVIDER, _LONG.encode(), "provider is too long"),
    "an event ID a little too long": (headers.EVENT_ID, b"e" * 501, "event-id is too long"),
    "a time before the calendar": (
        headers.RECEIVED_AT, b"0001-01-01T00:00:00+12:00", "outside of the calendar",
    ),
    "a time after the calendar": (
        headers.RECEIVED_AT, b"9999-12-31T23:00:00-12:00", "outside of the calendar",
    ),
    "a time without a zone": (headers.RECEIVED_AT, b"2026-03-01T12:00:00", "no time zone"),
}  # fmt: skip
#: Odd IDs and times that can still be stored.
STORABLE: Final = {
    "a NUL in another header": ("extra", b"\0"),
    "a NUL in the event ID": (headers.EVENT_ID, b"evt\0"),
    "a NUL in the object ID": (headers.OBJECT_ID, b"pi\0"),
    "bytes that are not UTF-8": (headers.OBJECT_ID, b"\xff\xfe"),
    "the longest event ID": (headers.EVENT_ID, b"e" * 500),
    "the earliest time": (headers.RECEIVED_AT, b"0001-01-01T00:00:00+00:00"),
    "a zone offset larger than Postgres accepts": (
        headers.RECEIVED_AT,
        b"2026-03-01T12:00:00+23:59",
    ),
    "a zone of half a second": (headers.RECEIVED_AT, b"2026-03-01T12:00:00+01:00:00.5"),
}


def with_header(record: ConsumedRecord, name: str, value: bytes) -> ConsumedRecord:
    """Returns the record with this header, as decoded from the log."""
    raw = [(each, text.encode()) for each, text in record.headers.items()]
    return replace(record, headers=headers.as_text([*raw, (name, value)]))


@pytest.fixture
def routing(pool: Pool, clock: Clock) -> Routing:
    """A router with an empty store."""
    return Routing(pool, clock)


async def waiting(pool: Pool) -> list[str]:
    """Returns the event IDs of the waiting webhooks."""
    return [row[0] for row in await database.rows(pool, "select event_id from unrouted order by 1")]


@pytest.mark.parametrize("what", REFUSED)
async def test_a_webhook_that_cannot_be_stored_is_a_dead_letter(
    routing: Routing, pool: Pool, what: str
) -> None:
    """It has the reason. Another record of the batch is stored."""
    name, value, why = REFUSED[what]
    bad = with_header(unrouted(ONE), name, value)
    await routing.router.route([bad, unrouted(TWO, "evt_2")])
    ((topic, key, named),) = routing.sent()
    assert (topic, key) == (DEAD_LETTERS, bad.key)
    assert why in named[headers.ERROR]
    assert await waiting(pool) == ["evt_2"]


@pytest.mark.parametrize("what", STORABLE)
async def test_an_odd_webhook_waits_and_expires_like_any_other(
    routing: Routing, pool: Pool, clock: Clock, what: str
) -> None:
    """It is stored, ends as ignored, and never stops the router."""
    odd = with_header(unrouted(ONE), *STORABLE[what])
    await routing.router.route([odd, unrouted(TWO, "evt_2")])
    assert routing.sent() == []
    assert await waiting(pool) == sorted([odd.headers[headers.EVENT_ID], "evt_2"])
    clock.forward(MAX_AGE_S + 1)
    await routing.router.route_waiting()
    assert routing.sent() == []
    ended = await database.rows(pool, "select event_id from ignored_webhooks order by 1")
    assert ended == sorted([(odd.headers[headers.EVENT_ID],), ("evt_2",)])
    assert await waiting(pool) == []


async def test_an_odd_time_zone_is_converted_to_utc(routing: Routing, pool: Pool) -> None:
    """Ignored webhooks are converted too."""
    at = b"2026-03-01T12:00:00+23:59"
    await routing.router.route([with_header(payout(), headers.RECEIVED_AT, at)])
    moments = "select received_at = '2026-02-28T12:01:00Z' from ignored_webhooks"
    assert await database.rows(pool, moments) == [(True,)]


async def test_dead_letters_are_counted_and_logged(
    routing: Routing, caplog: pytest.LogCaptureFixture
) -> None:
    """Unstorable and undecodable ones: with origin and reason, without content."""
    bad = with_header(unrouted(ONE), headers.EVENT_ID, b"")
    await routing.router.route([bad, replace(unrouted(TWO, "evt_2"), value=b"succeeded")])
    assert [topic for topic, _, _ in routing.sent()] == [DEAD_LETTERS] * 2
    assert routing.metrics.dead_letters._value.get() == 2
    first, second = lines(caplog, "dead_letter")
    assert first["reason"].startswith("header event-id is missing or empty")
    assert second["reason"].startswith("not a Stripe event")
    assert "succeeded" not in caplog.text
