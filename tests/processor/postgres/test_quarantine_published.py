"""A quarantine in ``payment-state``: the last version is published again, with a header."""

import pytest

from postgres.stores import Pool
from processor.ops.invariants import published_is_stored
from tests.support import database
from tests.support.builders import Log, payment, received
from tests.support.programs.folding import fail_on
from tests.support.programs.gathering import gather
from tests.support.programs.stream_worker import Group

pytestmark = pytest.mark.anyio

UNPUBLISHED = "select publication_id from publications where published_at is null"


async def test_a_quarantine_is_published_and_so_is_its_end(
    group: Group, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither creates a version. The quarantine adds the header, and the release removes it."""
    log, mine = Log(), payment()
    async with group.worker(0) as worker:
        await worker.process(log.create(mine))
        with monkeypatch.context() as broken:
            fail_on(broken, mine, ["evt_bad"])
            await worker.process(log.webhook(mine, "processing", "evt_bad"))
        assert await group.announced(mine) == [(1, False), (1, True)]
        await worker.process(log.webhook(mine, "succeeded"))
        assert await group.announced(mine) == [(1, False), (1, True)]
        await worker.process(log.release(mine))
    assert await group.announced(mine) == [(1, False), (1, True), (2, False), (3, False)]
    assert await database.rows(pool, UNPUBLISHED) == []


async def test_a_release_that_creates_no_version_is_published_too(
    group: Group, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The input was stale. Without the record, consumers would see a quarantine for ever."""
    log, mine = Log(), payment()
    stale = "evt_stale"
    async with group.worker(0) as worker:
        await worker.process(log.create(mine), log.webhook(mine, "succeeded"))
        with monkeypatch.context() as broken:
            fail_on(broken, mine, [stale])
            await worker.process(log.webhook(mine, "processing", stale))
        await worker.process(log.release(mine))
    assert await group.announced(mine) == [(1, False), (2, False), (2, True), (2, False)]
    assert await database.rows(pool, UNPUBLISHED) == []


async def test_a_payment_that_fails_again_when_released_keeps_the_header(
    group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One batch ends the quarantine and begins the next one."""
    log, mine = Log(), payment()
    fail_on(monkeypatch, mine, ["evt_bad"])
    async with group.worker(0) as worker:
        await worker.process(log.create(mine))
        await worker.process(log.webhook(mine, "processing", "evt_bad"))
        await worker.process(log.release(mine))
    assert (await group.announced(mine))[-1] == (1, True)


async def test_versions_of_the_batch_that_quarantines_have_the_header(
    group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are published once: the payment is already quarantined by then."""
    log, mine = Log(), payment()
    fail_on(monkeypatch, mine, ["evt_bad"])
    async with group.worker(0) as worker:
        await worker.process(log.create(mine), log.webhook(mine, "processing", "evt_bad"))
    assert await group.announced(mine) == [(1, True)]


async def test_a_crash_before_it_is_published_is_repaired(
    group: Group, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when the version before was not published yet. The next owner publishes it once."""
    log, mine = Log(), payment()
    fail_on(monkeypatch, mine, ["evt_bad"])
    async with group.worker(0) as worker:
        await worker.committed(log.create(mine))
        await worker.committed(log.webhook(mine, "processing", "evt_bad"))
        assert await group.announced(mine) == []
    async with group.worker(0):
        assert await group.announced(mine) == [(1, True)]
    assert await database.rows(pool, UNPUBLISHED) == []


async def test_a_payment_that_has_no_version_is_not_published(
    group: Group, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no payment yet, so nothing is published, and no publication waits."""
    log, mine = Log(), payment()
    create = log.create(mine)
    fail_on(monkeypatch, mine, [received(create).event_id])
    async with group.worker(0) as worker:
        await worker.process(log.webhook(mine, "processing", "evt_bad"), create)
    assert await group.outcomes(create) == ["quarantined"]
    assert await group.announced(mine) == []
    assert await database.rows(pool, UNPUBLISHED) == []


async def test_the_audit_compares_the_quarantines_with_the_topic(
    group: Group, own_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A quarantine that ended in the table but not on the topic is a violation."""
    log, mine = Log(), payment()
    fail_on(monkeypatch, mine, ["evt_bad"])
    async with group.worker(0) as worker:
        await worker.process(log.create(mine), log.webhook(mine, "processing", "evt_bad"))
    evidence = await gather(group.bootstrap, own_database)
    assert mine in evidence.quarantined
    assert [each for each in published_is_stored(evidence) if mine in each] == []
    await database.rows(group.pool, "delete from quarantines returning 1")
    evidence = await gather(group.bootstrap, own_database)
    assert [each for each in published_is_stored(evidence) if mine in each] == [
        f"{mine}: whether it is quarantined is not what its last record says"
    ]


async def test_the_audit_sees_the_end_of_a_quarantine_on_the_topic(
    group: Group, own_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last record says what is so now, whatever earlier ones said."""
    log, mine = Log(), payment()
    async with group.worker(0) as worker:
        with monkeypatch.context() as broken:
            fail_on(broken, mine, ["evt_bad"])
            await worker.process(log.create(mine), log.webhook(mine, "processing", "evt_bad"))
        await worker.process(log.release(mine))
    assert await group.announced(mine) == [(1, True), (2, False)]
    evidence = await gather(group.bootstrap, own_database)
    assert [each for each in published_is_stored(evidence) if mine in each] == []
