"""No record and no row stops a worker: they become dead letters or quarantined payments."""

from typing import Any, Final, LiteralString

import pytest
from msgspec.structs import replace

from ports.records import ConsumedRecord
from schemas import headers
from schemas.topics import PAYMENT_COMMANDS
from tests.support import database
from tests.support.builders import Log, payment
from tests.support.programs.stream_worker import Group, Worker

pytestmark = pytest.mark.anyio

#: The largest value for which the brokers' default limit has room, with a key and no headers.
LARGEST: Final = b"x" * 1_048_480
_QUARANTINES: Final = "select payment_id, event_id, error from quarantines"
_STORED: Final = "select payment_id, version, document::text from payments order by 1"


async def acknowledged(worker: Worker, *batch: ConsumedRecord) -> bool:
    """Processes a batch. Returns whether exactly its records are acknowledged, in order."""
    worker.acked.clear()
    await worker.process(*batch)
    return worker.acked == [record.position for record in batch]


async def spoil(group: Group, statement: LiteralString) -> None:
    """Changes exactly one stored row."""
    assert len(await database.rows(group.pool, statement)) == 1


async def errors_of_dead(group: Group) -> list[Any]:
    """Returns the stored errors of dead letters."""
    return [error for (error,) in await database.rows(group.pool, "select error from dead_letters")]


async def test_a_field_with_a_nul_is_a_dead_letter_that_can_be_stored(group: Group) -> None:
    """The stored error does not repeat the field's name, whose NUL Postgres would refuse."""
    log, good = Log(), payment()
    bad = log.command(payment(), "cancel", **{"a\0b": 1})
    batch = bad, log.create(good)
    async with group.worker(0) as worker:
        assert await acknowledged(worker, *batch)
    assert await group.outcomes(*batch) == [None, "applied"]
    (error,) = await errors_of_dead(group)
    assert error == "not a command: cancel.(a name): Extra inputs are not permitted"
    (dead_letter,) = await group.dead_letters(bad.value)
    assert dead_letter[headers.ERROR] == error


async def test_a_header_with_a_nul_is_stored_without_it(group: Group) -> None:
    """The headers of a parked webhook are stored as JSON, in which Postgres refuses NUL."""
    log, early, other = Log(), payment(), payment()
    webhook = log.webhook(early, "processing")
    webhook = replace(webhook, headers={**webhook.headers, "extra": "\0"})
    batch = webhook, log.create(other)
    async with group.worker(0) as worker:
        assert await acknowledged(worker, *batch)
        assert await group.outcomes(*batch) == ["parked", "applied"]
        kept = "select headers ->> 'extra' from inbox where outcome = 'parked'"
        assert await database.rows(group.pool, kept) == [("\N{REPLACEMENT CHARACTER}",)]
        assert await acknowledged(worker, log.create(early))
    assert await group.outcomes(webhook) == ["applied"]


async def test_an_undecodable_record_of_the_largest_size_is_a_dead_letter(group: Group) -> None:
    """The added headers make its dead letter larger. It is published complete."""
    log = Log()
    batch = log.append(PAYMENT_COMMANDS, b"key", LARGEST), log.create(payment())
    async with group.worker(0) as worker:
        assert await acknowledged(worker, *batch)
    assert await group.outcomes(*batch) == [None, "applied"]
    (dead_letter,) = await group.dead_letters(LARGEST)
    assert "not a command" in dead_letter[headers.ERROR]


async def test_only_the_payment_whose_row_is_unreadable_is_quarantined(group: Group) -> None:
    """Its row is unchanged, and its inputs wait for an operator. Other payments go on."""
    log, broken, other = Log(), payment(), payment()
    async with group.worker(0) as worker:
        assert await acknowledged(worker, log.create(broken))
        await spoil(group, "update payments set document = '{}' returning 1")
        first, second = log.webhook(broken, "processing"), log.webhook(broken, "succeeded")
        batch = first, log.create(other), second, log.webhook(other, "succeeded")
        assert await acknowledged(worker, *batch)
        assert await group.outcomes(*batch) == ["quarantined", "applied", "parked", "applied"]
        ((payment_id, event_id, error),) = await database.rows(group.pool, _QUARANTINES)
        assert (payment_id, event_id) == (broken, first.headers[headers.EVENT_ID])
        assert "what is stored of it can't be read" in error
        stored = {row[0]: row[1:] for row in await database.rows(group.pool, _STORED)}
        assert stored[broken] == (1, "{}")
        later = log.command(broken, "cancel")
        assert await acknowledged(worker, later)
        assert await group.outcomes(later) == ["parked"]
    kept = "select value from inbox where payment_id = %s and value is not null"
    values = {value for (value,) in await database.rows(group.pool, kept, broken)}
    assert values == {first.value, second.value, later.value}
    assert await group.announced(broken) == [(1, False), (1, True)]
    assert [version for version, _ in await group.published(other)] == [1, 2]


async def test_only_the_payment_whose_parked_record_is_unreadable_is_quarantined(
    group: Group,
) -> None:
    """A newer release may not decode a parked record. The payment is not created then."""
    log, broken, other = Log(), payment(), payment()
    early = log.webhook(broken, "processing")
    async with group.worker(0) as worker:
        assert await acknowledged(worker, early)
        await spoil(group, "update inbox set value = 'x' returning 1")
        create = log.create(broken)
        batch = create, log.create(other)
        assert await acknowledged(worker, *batch)
        assert await group.outcomes(early, *batch) == ["parked", "quarantined", "applied"]
    ((payment_id, _, error),) = await database.rows(group.pool, _QUARANTINES)
    assert payment_id == broken
    assert f"{early.position} can't be decoded any more" in error
    assert [row[0] for row in await database.rows(group.pool, _STORED)] == [other]
    assert await group.published(broken) == []
    assert [version for version, _ in await group.published(other)] == [1]
