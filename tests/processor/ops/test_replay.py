"""Replay releases a quarantined payment after the fix, on a real Kafka and Postgres."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import psycopg
import pytest

from ports.records import ConsumedRecord
from postgres.documents import decode_payment
from postgres.stores import Pool
from processor.ops.replay import describe_quarantines, describe_replay, replay
from tests.support import database
from tests.support.builders import NOW, Log, payment
from tests.support.programs.folding import fail_on, folded
from tests.support.programs.operating import ALL, Operating
from tests.support.programs.stream_worker import Worker

pytestmark = pytest.mark.anyio

THIRTEEN: Final = 1313


async def _story(operating: Operating, payment_id: str) -> list[ConsumedRecord]:
    """Publishes the records of a payment that succeeds and is refunded; one is ``evt_bad``."""
    log = Log()
    return await operating.publish(
        log.create(payment_id),
        log.webhook(payment_id, "processing", "evt_bad"),
        log.result(payment_id),
        log.webhook(payment_id, "succeeded"),
        log.command(payment_id, "refund"),
    )


async def _quarantined(
    operating: Operating, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> tuple[str, list[ConsumedRecord]]:
    """Returns a quarantined payment and its records. The defect is fixed by then."""
    poison = payment()
    story = await _story(operating, poison)
    with monkeypatch.context() as defect:
        fail_on(defect, poison, ["evt_bad"])
        await worker.process(*story)
    return poison, story


async def _assert_never_quarantined(
    pool: Pool, payment_id: str, story: Sequence[ConsumedRecord]
) -> None:
    """Payment, versions and outcomes are those of the same records without the defect."""
    undisturbed = folded(*story)
    ((document,),) = await database.rows(
        pool, "select document::text from payments where payment_id = %s", payment_id
    )
    assert decode_payment(document) == undisturbed.payments[payment_id]
    assert await database.rows(
        pool,
        "select version, status, event_id from payment_versions where payment_id = %s order by 1",
        payment_id,
    ) == [(v.payment.version, str(v.payment.status), v.event_id) for v in undisturbed.versions]
    decided = await database.rows(
        pool,
        "select event_id, outcome, reason, headers, value from inbox where payment_id = %s and"
        " kind <> 'operator.release' order by decided",
        payment_id,
    )
    assert decided == [
        (row.received.event_id, str(row.outcome), row.reason, None, None)
        for row in undisturbed.inbox
    ]


async def test_a_quarantine_that_waits_for_its_release_violates_nothing(
    operating: Operating, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its event waits under an ID of its own record, and the quarantine names the event."""
    async with operating.group.worker(*ALL) as worker:
        poison, _ = await _quarantined(operating, worker, monkeypatch)
    found = await operating.violations(0.0)
    assert [each for each in found["S11"] if poison in each] == []


async def test_a_replay_reports_only_on_the_requested_payments(
    operating: Operating, pool: Pool
) -> None:
    """Another payment's quarantine is no failure. A requested payment without one is."""
    mine, other = payment(), payment()
    quarantine = "insert into quarantines values (%s, 'evt', 'x', %s) returning 1"
    await database.rows(pool, quarantine, other, NOW)
    async with asyncio.timeout(20):  # nothing is published, so there is nothing to wait for
        done = await replay(
            operating.database_url, operating.sender, [mine], operating.clock, wait_s=600.0
        )
    assert (done.quarantines, done.still_quarantined, done.not_quarantined) == ([], set(), [mine])
    assert not done.is_done
    assert f"{mine}  is not quarantined" in "\n".join(describe_replay(done))


async def test_after_the_fix_a_replay_leaves_no_trace_of_the_quarantine(
    operating: Operating, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the failing payment is quarantined. The release applies and publishes its inputs."""
    poison, other = payment(), payment()
    story = await _story(operating, poison)
    async with operating.group.worker(*ALL) as worker:
        with monkeypatch.context() as defect:
            fail_on(defect, poison, ["evt_bad"])
            await worker.process(*story[:2])
            await operating.process(worker, Log().create(other))
            await worker.process(*story[2:])
        (quarantine,) = await operating.quarantined()
        assert (quarantine.payment_id, quarantine.event_id, quarantine.waiting) == (
            poison,
            "evt_bad",
            4,
        )
        text = "\n".join(describe_quarantines([quarantine]))
        assert f"{poison}  quarantined since 2026-03-01 12:00:00Z, 4 inputs wait" in text
        assert "at evt_bad: ZeroDivisionError: a defect" in text
        assert [version for version, _ in await operating.group.published(other)] == [1]
        assert [version for version, _ in await operating.group.published(poison)] == [1]

        releases = await operating.release_and_process(worker, poison)
        assert await operating.group.outcomes(*releases) == ["applied"]
        assert await operating.quarantined() == []
        await _assert_never_quarantined(operating.group.pool, poison, story)
        published = [version for version, _ in await operating.group.published(poison)]
        assert published == [v.payment.version for v in folded(*story).versions]


async def test_a_replay_before_the_fix_quarantines_again(
    operating: Operating, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No input is lost. The new quarantine has its own release, which is no duplicate."""
    poison = payment()
    story = await _story(operating, poison)
    async with operating.group.worker(*ALL) as worker:
        with monkeypatch.context() as defect:
            fail_on(defect, poison, ["evt_bad"])
            await worker.process(*story)
            (first,) = await operating.quarantined()
            worker.clock.forward(60)
            await operating.release_and_process(worker, poison)
            (second,) = await operating.quarantined()
        assert (second.event_id, second.waiting) == (first.event_id, first.waiting)
        assert second.quarantined_at > first.quarantined_at
        releases = await operating.release_and_process(worker)
        assert await operating.group.outcomes(*releases) == ["applied"]
        await _assert_never_quarantined(operating.group.pool, poison, story)


async def test_a_second_replay_changes_nothing(
    operating: Operating, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until it is processed, it is the same event twice. Afterwards nothing is quarantined."""
    async with operating.group.worker(*ALL) as worker:
        poison, _ = await _quarantined(operating, worker, monkeypatch)
        first, second = (
            await operating.request_release(poison),
            await operating.request_release(poison),
        )
        assert first.quarantines == second.quarantines
        assert "not processed yet" in "\n".join(describe_replay(first))
        assert not first.is_done
        releases = await operating.new_records()
        assert len({record.value for record in releases}) == 1
        await worker.process(*releases)
        assert await operating.group.outcomes(*releases) == ["applied", None]
        assert len(await database.rows(operating.group.pool, "select 1 from duplicates")) == 1
        before = await database.everything(operating.group.pool)
        again = await operating.request_release(poison)
        assert again.not_quarantined == [poison]
        assert f"{poison}  is not quarantined" in "\n".join(describe_replay(again))
        assert await operating.new_records() == []
        assert (await operating.request_release()).is_done
        assert await database.everything(operating.group.pool) == before


async def test_the_outcome_of_a_release_is_reported(
    operating: Operating, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The report has its outcome and reason, and whether the payment is quarantined again."""
    poison = payment()
    story = await _story(operating, poison)
    async with operating.group.worker(*ALL) as worker:
        fail_on(monkeypatch, poison, ["evt_bad"])
        await worker.process(*story)
        await operating.request_release()
        await worker.process(*await operating.new_records())  # quarantined again at the same time
        replayed = await operating.request_release()
    text = "\n".join(describe_replay(replayed))
    assert "applied: the payment was released; inputs taken up: 4, and it is quarantined" in text
    assert "1 releases published, 1 quarantined again or still" in text
    assert not replayed.is_done


@contextmanager
def _refusing(database_url: str) -> Iterator[None]:
    """Makes Postgres refuse every payment with the amount THIRTEEN."""
    add = f"alter table payments add constraint refused check (amount <> {THIRTEEN}) not valid"
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(add.encode())
        try:
            yield
        finally:
            connection.execute("alter table payments drop constraint refused")


async def test_a_release_that_postgres_still_refuses_changes_no_waiting_input(
    operating: Operating, own_database: str
) -> None:
    """The quarantine is renewed. Once Postgres accepts it, a release applies every input."""
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
            releases = await operating.release_and_process(worker)
            assert await operating.group.outcomes(*releases) == ["applied"]
            (quarantine,) = await operating.quarantined()
            assert "refused" in quarantine.error
            assert "DETAIL" not in quarantine.error, "DETAIL repeats what a client wrote"
            assert "refused" in "\n".join(describe_quarantines([quarantine]))
            assert await database.rows(operating.group.pool, waiting) == before
        await operating.release_and_process(worker)
        assert await operating.quarantined() == []
        assert await operating.group.outcomes(*story) == ["applied", "applied"]
        assert [version for version, _ in await operating.group.published(poison)] == [1, 2]


async def test_a_waiting_record_that_cannot_be_decoded_is_not_lost(
    operating: Operating, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The payment is quarantined again with the reason, until the record can be decoded."""
    async with operating.group.worker(*ALL) as worker:
        poison, story = await _quarantined(operating, worker, monkeypatch)
        pool = operating.group.pool
        async with pool.connection() as connection:
            await connection.execute(
                "update inbox set value = '{' where starts_with(event_id, 'evt_bad@')"
            )
        worker.clock.forward(60)
        await operating.release_and_process(worker)
        (quarantine,) = await operating.quarantined()
        (release,) = await database.rows(
            pool, "select event_id from inbox where kind = 'operator.release'"
        )
        assert "can't be decoded any more" in quarantine.error
        assert (quarantine.event_id, quarantine.failed_release, quarantine.waiting) == (
            "evt_bad",
            *release,
            4,
        )
        text = "\n".join(describe_quarantines([quarantine]))
        assert "at evt_bad" in text
        assert f"its release {quarantine.failed_release} failed: " in text
        async with pool.connection() as connection:
            await connection.execute(
                "update inbox set value = %s where starts_with(event_id, 'evt_bad@')",
                [story[1].value],
            )
        await operating.release_and_process(worker)
        assert await operating.quarantined() == []
        await _assert_never_quarantined(pool, poison, story)


async def test_a_crash_between_commit_and_publish_of_a_release_loses_no_version(
    operating: Operating, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The release is delivered again, and every version it created is published."""
    async with operating.group.worker(*ALL) as worker:
        poison, story = await _quarantined(operating, worker, monkeypatch)
    await operating.request_release()
    releases = await operating.new_records()
    await database.process(operating.group.pool, *releases)
    async with operating.group.worker(*ALL, republish=False) as next_one:
        await next_one.process(*releases)
    published = [version for version, _ in await operating.group.published(poison)]
    assert published == [v.payment.version for v in folded(*story).versions]
