"""Workers start and end under load: versions stay in order, and others take over in time."""

import asyncio
import os
import signal
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from typing import Final

import psycopg
import pytest

from processor.ops.invariants import Evidence
from tests.conftest import PARTITIONS
from tests.faults.process_supervisor import supervised, until
from tests.outages.conftest import QUICKER, RecordProperty, Site
from tests.outages.load import assert_nothing_lost, loaded
from tests.outages.workers import additional_worker, is_ready, partitions_of
from tests.service.stack import Program, Stack

pytestmark = pytest.mark.anyio

SESSION_S: Final = float(QUICKER["PAYMENTS_SESSION_TIMEOUT_S"])
#: Allowed in addition to a silent worker's session; a busy machine needs a few seconds.
SLACK_S: Final = 30.0
#: The session of the terminated worker: if it did not leave the group, the others would wait for
#: longer than the test allows.
LONG_SESSION_S: Final = 60.0
LONG_S: Final = 120.0


@pytest.fixture
def others(site: Site) -> Iterator[list[Program]]:
    """Two more workers, not started; stopped at the end."""
    variables = {"PAYMENTS_SESSION_TIMEOUT_S": str(LONG_SESSION_S)}
    made = [
        additional_worker(site.stack, "stream-2", **variables),
        additional_worker(site.stack, "stream-3"),
    ]
    yield made
    for worker in made:
        worker.stop()


def out_of_order(found: Evidence, payment_ids: Collection[str]) -> dict[str, list[int]]:
    """Payments whose versions did not first appear in ``payment-state`` in order."""
    first_published = {p: list(dict.fromkeys(found.published_versions[p])) for p in payment_ids}
    return {p: versions for p, versions in first_published.items() if versions != sorted(versions)}


async def until_shared(workers: Collection[Program]) -> None:
    """Waits until all partitions are assigned, and all workers have some and are ready."""

    def shared() -> bool:
        given = [partitions_of(worker) for worker in workers]
        every = sorted(p for partitions in given for p in partitions)
        return all(given) and every == list(range(PARTITIONS))

    await until(
        lambda: shared() and all(map(is_ready, workers)), "the partitions are shared", LONG_S
    )


async def seconds_until_commit(stack: Stack, partitions: Collection[int], since: datetime) -> float:
    """Seconds from then until the next commit for one of these partitions."""
    found: list[datetime] = []

    def committed() -> bool:
        with psycopg.connect(stack.infrastructure.database_url) as connection:
            (at,) = connection.execute(
                "select min(committed_at) from publications"
                " where partition = any(%s) and committed_at > %s",
                [list(partitions), since],
            ).fetchone() or (None,)
        if at is not None:
            found.append(at)
        return at is not None

    await until(committed, "one of the partitions has a commit", LONG_S)
    return (found[0] - since).total_seconds()


async def test_versions_stay_in_order_while_workers_start_and_end(
    site: Site, others: list[Program], record_property: RecordProperty
) -> None:
    """Two workers join, then one is terminated and one is killed. Others take over in time."""
    stack, first = site.stack, site.stack.programs["stream"]
    second, third = others
    async with supervised(first) as ended, loaded(stack, senders=4) as load:
        await load.more(20)
        for worker in others:
            worker.start()
        await until_shared([first, second, third])
        await load.more(40)
        lost, began = partitions_of(second), datetime.now(UTC)
        second.process.terminate()
        terminated = await seconds_until_commit(stack, lost, await until_ended(second, began))
        await until_shared([first, third])
        await load.more(20)
        lost = partitions_of(third)
        third.kill()
        killed = await seconds_until_commit(stack, lost, datetime.now(UTC))
        await until_shared([first])
        await load.more(20)
        load.stop()
        found = await assert_nothing_lost(stack, load)
    record_property("take-over after SIGTERM, s", terminated)
    record_property("take-over after kill -9, s", killed)
    assert second.process.returncode == 0
    assert set(ended) <= {os.EX_TEMPFAIL}
    assert terminated < SLACK_S
    assert killed < SESSION_S + SLACK_S
    assert out_of_order(found, load.payments) == {}


async def until_ended(worker: Program, asked: datetime) -> datetime:
    """Waits for the end of a terminated worker, and returns when it ended."""
    await asyncio.to_thread(worker.process.wait, SLACK_S)
    assert worker.process.returncode != -signal.SIGKILL
    assert asked < datetime.now(UTC)
    return datetime.now(UTC)
