"""Replay: a payment our own code failed on is released after the fix, on a real log and store."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import psycopg
import pytest

from ports.records import ConsumedRecord
from postgres.documents import decode_payment
from postgres.stores import Pool
from processor.ops.replay import listed, replay, summary
from tests.support import database
from tests.support.builders import NOW, Log, payment
from tests.support.programs.folding import failing, folded
from tests.support.programs.operating import ALL, Operating
from tests.support.programs.stream_worker import Worker

pytestmark = pytest.mark.anyio

THIRTEEN: Final = 1313


async def _story(operating: Operating, payment_id: str) -> list[ConsumedRecord]:
    """A payment that succeeds and is refunded; ``evt_bad`` is on its way there."""
    log = Log()
    return await operating.publish(
        log.create(payment_id),
        log.webhook(payment_id, "processing", "evt_bad"),
        log.result(payment_id),
        log.webhook(payment_id, "succeeded"),
        log.command(payment_id, "refund"),
    )


async def _held(
    operating: Operating, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> tuple[str, list[ConsumedRecord]]:
    """A payment that our code failed on, and its records; the code is mended since."""
    poison = payment()
    story = await _story(operating, poison)
    with monkeypatch.context() as defect:
        failing(defect, poison, ["evt_bad"])
        await worker.process(*story)
    return poison, story


async def _is_as_never_held(pool: Pool, payment_id: str, story: Sequence[ConsumedRecord]) -> None:
    """The payment, every version and every outcome are those of the same records without a hold."""
    never = folded(*story)
    ((document,),) = await database.rows(
        pool, "select document::text from payments where payment_id = %s", payment_id
    )
    assert decode_payment(document) == never.payments[payment_id]
    assert await database.rows(
        pool,
        "select version, status, event_id from payment_versions where payment_id = %s order by 1",
        payment_id,
    ) == [(v.payment.version, str(v.payment.status), v.event_id) for v in never.versions]
    decided = await database.rows(
        pool,
        "select event_id, outcome, reason, headers, value from inbox where payment_id = %s and"
        " kind <> 'operator.release' order by decided",
        payment_id,
    )
    assert decided == [
        (row.received.event_id, str(row.outcome), row.reason, None, None) for row in never.inbox
    ]


async def test_a_replay_is_about_what_it_was_asked_for(operating: Operating, pool: Pool) -> None:
    """Another payment that is held is no failure of it; one that is not held is, and is named."""
    mine, other = payment(), payment()
    hold = "insert into holds (held_at, payment_id, event_id, error) values (%s, %s, 'evt', 'x')"
    await database.rows(pool, f"{hold} returning 1", NOW, other)
    async with asyncio.timeout(20):  # nothing is published, so there is nothing to wait for
        done = await replay(
            operating.database_url, operating.sender, [mine], operating.clock, wait_s=600.0
        )
    assert (done.holds, done.still_held, done.not_held) == ([], set(), [mine])
    assert not done.is_done
    assert f"{mine}  is not held" in "\n".join(summary(done))


async def test_after_the_fix_a_replay_makes_it_as_if_it_was_never_held(
    operating: Operating, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Held alone, listed with its error; once our code is mended it is taken up, and published."""
    poison, other = payment(), payment()
    story = await _story(operating, poison)
    async with operating.group.worker(*ALL) as worker:
        with monkeypatch.context() as defect:
            failing(defect, poison, ["evt_bad"])
            await worker.process(*story[:2])
            await operating.process(worker, Log().create(other))
            await worker.process(*story[2:])
        (hold,) = await operating.held()
        assert (hold.payment_id, hold.event_id, hold.waiting) == (poison, "evt_bad", 4)
        words = "\n".join(listed([hold]))
        assert f"{poison}  held since 2026-03-01 12:00:00Z, 4 inputs wait" in words
        assert "quarantined at evt_bad: ZeroDivisionError: a defect" in words
        assert [version for version, _ in await operating.group.published(other)] == [1]
        assert [version for version, _ in await operating.group.published(poison)] == [1]

        releases = await operating.released(worker, poison)
        assert await operating.group.outcomes(*releases) == ["applied"]
        assert await operating.held() == []
        await _is_as_never_held(operating.group.pool, poison, story)
        published = [version for version, _ in await operating.group.published(poison)]
        assert published == [v.payment.version for v in folded(*story).versions]


async def test_a_replay_while_we_still_fail_holds_again(
    operating: Operating, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is lost; the new hold has a release of its own, which is no duplicate."""
    poison = payment()
    story = await _story(operating, poison)
    async with operating.group.worker(*ALL) as worker:
        with monkeypatch.context() as defect:
            failing(defect, poison, ["evt_bad"])
            await worker.process(*story)
            (first,) = await operating.held()
            worker.clock.forward(60)
            await operating.released(worker, poison)
            (second,) = await operating.held()
        assert (second.event_id, second.waiting) == (first.event_id, first.waiting)
        assert second.held_at > first.held_at
        releases = await operating.released(worker)
        assert await operating.group.outcomes(*releases) == ["applied"]
        await _is_as_never_held(operating.group.pool, poison, story)


async def test_replay_twice_changes_nothing(
    operating: Operating, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the stream has seen it, it is one event twice; afterwards nothing is held."""
    async with operating.group.worker(*ALL) as worker:
        poison, _ = await _held(operating, worker, monkeypatch)
        first, second = await operating.ask(poison), await operating.ask(poison)
        assert first.holds == second.holds
        assert "not processed yet" in "\n".join(summary(first))
        assert not first.is_done
        releases = await operating.come()
        assert len({record.value for record in releases}) == 1
        await worker.process(*releases)
        assert await operating.group.outcomes(*releases) == ["applied", None]
        assert len(await database.rows(operating.group.pool, "select 1 from duplicates")) == 1
        before = await database.everything(operating.group.pool)
        again = await operating.ask(poison)
        assert again.not_held == [poison]
        assert f"{poison}  is not held" in "\n".join(summary(again))
        assert await operating.come() == []
        assert (await operating.ask()).is_done
        assert await database.everything(operating.group.pool) == before


async def test_what_became_of_a_release_is_told(
    operating: Operating, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its outcome and reason once it was processed, and whether the payment is held again."""
    poison = payment()
    story = await _story(operating, poison)
    async with operating.group.worker(*ALL) as worker:
        failing(monkeypatch, poison, ["evt_bad"])
        await worker.process(*story)
        await operating.ask()
        await worker.process(*await operating.come())  # held again at the same standing clock
        replayed = await operating.ask()
    words = "\n".join(summary(replayed))
    assert "applied: the hold was taken away, inputs taken up: 4, and it is held again" in words
    assert "1 releases published, 1 held again or still" in words
    assert not replayed.is_done


@contextmanager
def _refusing(database_url: str) -> Iterator[None]:
    """Postgres refuses every payment of THIRTEEN."""
    add = f"alter table payments add constraint refused check (amount <> {THIRTEEN}) not valid"
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(add.encode())
        try:
            yield
        finally:
            connection.execute("alter table payments drop constraint refused")


async def test_what_postgres_refused_waits_through_releases_in_vain(
    operating: Operating, own_database: str
) -> None:
    """While it still refuses, the hold is renewed and nothing that waits is touched; then done."""
    poison, log = payment(), Log()
    async with operating.group.worker(*ALL) as worker:
        with _refusing(own_database):
            story = await operating.process(
                worker,
                log.create(poison, amount=THIRTEEN),
                log.webhook(poison, "processing", amount=THIRTEEN),
            )
            waiting = 'select * from inbox where value is not null order by topic, "offset"'
            before = await database.rows(operating.group.pool, waiting)
            worker.clock.forward(60)
            releases = await operating.released(worker)
            assert await operating.group.outcomes(*releases) == ["applied"]
            (hold,) = await operating.held()
            assert "refused" in hold.error
            assert "DETAIL" not in hold.error, "it repeats what a client wrote"
            assert "refused" in "\n".join(listed([hold]))
            assert await database.rows(operating.group.pool, waiting) == before
        await operating.released(worker)
        assert await operating.held() == []
        assert await operating.group.outcomes(*story) == ["applied", "applied"]
        assert [version for version, _ in await operating.group.published(poison)] == [1, 2]


async def test_a_waiting_record_nobody_can_read_is_not_lost(
    operating: Operating, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The payment is held again with the reason, until the record can be read."""
    async with operating.group.worker(*ALL) as worker:
        poison, story = await _held(operating, worker, monkeypatch)
        pool = operating.group.pool
        async with pool.connection() as connection:
            await connection.execute("update inbox set value = '{' where event_id = 'evt_bad'")
        worker.clock.forward(60)
        await operating.released(worker)
        (hold,) = await operating.held()
        (release,) = await database.rows(
            pool, "select event_id from inbox where kind = 'operator.release'"
        )
        assert "can't be decoded any more" in hold.error
        assert (hold.event_id, hold.failed_release, hold.waiting) == ("evt_bad", *release, 4)
        words = "\n".join(listed([hold]))
        assert "quarantined at evt_bad" in words
        assert f"its release {hold.failed_release} failed: " in words
        async with pool.connection() as connection:
            await connection.execute(
                "update inbox set value = %s where event_id = 'evt_bad'", [story[1].value]
            )
        await operating.released(worker)
        assert await operating.held() == []
        await _is_as_never_held(pool, poison, story)


async def test_a_crash_between_commit_and_publish_of_a_release_loses_no_version(
    operating: Operating, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The release comes again, and every version it led to is published."""
    async with operating.group.worker(*ALL) as worker:
        poison, story = await _held(operating, worker, monkeypatch)
    await operating.ask()
    releases = await operating.come()
    await database.process(operating.group.pool, *releases)
    async with operating.group.worker(*ALL, republish=False) as next_one:
        await next_one.process(*releases)
    published = [version for version, _ in await operating.group.published(poison)]
    assert published == [v.payment.version for v in folded(*story).versions]
