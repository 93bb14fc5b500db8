"""A payment whose snapshot is too large for a record is quarantined, and blocks no other."""

from typing import Final

import pytest
from msgspec.structs import replace

from decisions import decode
from ports.batch import PublishableVersion
from ports.records import ConsumedRecord
from postgres import documents
from schemas.topics import SNAPSHOT_BYTES_MAX
from tests.support import database
from tests.support.builders import NOW, Log, payment
from tests.support.programs.stream_worker import Group

pytestmark = pytest.mark.anyio

QUARANTINED: Final = "select payment_id, event_id, error from quarantines"


@pytest.fixture(autouse=True)
def uncut(monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts are not cut, because nothing else makes a payment within its limits so large."""
    monkeypatch.setattr(decode, "with_storable_texts", lambda fact: fact)


def too_long_failure(log: Log, payment_id: str) -> ConsumedRecord:
    """A failed attempt whose error message is too long for a record."""
    error = {"code": "card_declined", "message": "m" * (2 * SNAPSHOT_BYTES_MAX), "charge": "ch_1"}
    return log.webhook(
        payment_id, "requires_payment_method", f"evt_long_{payment_id}", last_payment_error=error
    )


async def test_a_too_large_payment_is_quarantined_before_it_is_committed(group: Group) -> None:
    """A version that can't be published is not stored. The rest of its batch is processed."""
    large, other, log = payment(), payment(), Log()
    async with group.worker(0) as worker:
        records = (
            log.create(large), log.create(other), too_long_failure(log, large),
            log.webhook(large, "succeeded"), log.webhook(other, "succeeded"),
        )  # fmt: skip
        await worker.process(*records[:2])
        await worker.process(*records[2:])
        assert worker.acked == [record.position for record in records]
        later = log.webhook(other, "processing")
        await worker.process(later)
    ((quarantined, event_id, error),) = await database.rows(group.pool, QUARANTINED)
    assert (quarantined, event_id) == (large, f"evt_long_{large}")
    assert f"at most {SNAPSHOT_BYTES_MAX}" in error
    assert await group.outcomes(*records) == [
        "applied", "applied", "quarantined", "parked", "applied",
    ]  # fmt: skip
    assert await group.announced(large) == [(1, False), (1, True)]
    assert [version for version, _ in await group.published(other)] == [1, 2]


async def test_a_too_large_version_of_an_earlier_release_stops_no_worker(
    group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its payment is quarantined, and each later owner of the partition publishes all others."""
    large, other, log = payment(), payment(), Log()
    with monkeypatch.context() as earlier:
        earlier.setattr(documents, "SNAPSHOT_BYTES_MAX", 10 * SNAPSHOT_BYTES_MAX)
        await database.process(
            group.pool, log.create(large), too_long_failure(log, large), log.create(other)
        )
    for _ in range(2):  # the next owner takes it over as well
        async with group.worker(0) as worker:
            await worker.process(log.webhook(other, "processing"), log.webhook(large, "succeeded"))
    ((quarantined, event_id, error),) = await database.rows(group.pool, QUARANTINED)
    assert (quarantined, event_id) == (large, f"evt_long_{large}")
    assert "version 2" in error
    assert {version for version, _ in await group.published(other)} == {1, 2}
    assert {version for version, _ in await group.published(large)} == {1}
    still = "select count(*) from publications where published_at is null"
    assert await database.rows(group.pool, still) == [(1,)]


async def test_the_largest_allowed_snapshot_is_published(group: Group) -> None:
    """A record has room for it, with its key and headers."""
    mine = payment()
    largest = PublishableVersion(
        payment_id=mine,
        version=1,
        partition=0,
        at=NOW,
        snapshot=b"s" * SNAPSHOT_BYTES_MAX,
        publication_id=1,
    )
    async with group.worker(0) as worker:
        await worker.publisher.publish([largest, replace(largest, version=2)])
    assert [(v, len(value)) for v, value in await group.published(mine)] == [
        (1, SNAPSHOT_BYTES_MAX), (2, SNAPSHOT_BYTES_MAX),
    ]  # fmt: skip
