"""The worker's disk: full, damaged, or interrupted in a write."""

import asyncio
import os
import resource
import secrets
import signal
import time
from pathlib import Path
from typing import Any, Final

import httpx
import psycopg
import pytest
from rocksdict import AccessType, Options, Rdict

from sandbox.stripe_simulator.webhooks.signing import signature_header
from tests.conftest import PARTITIONS
from tests.faults.process_supervisor import supervised, until
from tests.outages.conftest import Site
from tests.outages.load import assert_nothing_lost, loaded, webhook
from tests.service import evidence
from tests.service.stack import Program, Stack

pytestmark = pytest.mark.anyio

#: The files to overwrite, by partition.
DAMAGED: Final = {0: "CURRENT", 1: "MANIFEST-*", 2: "*.sst"}
DROPPED: Final = "table.dropped"


def folder(worker: Program, partition: int) -> Path:
    """A partition's RocksDB."""
    (found,) = Path(worker.environment["PAYMENTS_DATA_DIR"]).rglob(f"dedup-{partition}.db")
    return found


def entries(worker: Program, payment_ids: set[str]) -> list[dict[Any, Any]]:
    """The table's entries of these payments by partition, while the worker does not run.

    Not those of earlier tests: a broker that is killed takes changes with it that are on the disk
    and not in the changelog. What a recovered table then does not know, Postgres does.
    """
    keys = {payment_id.encode() for payment_id in payment_ids}
    found = []
    for partition in range(PARTITIONS):
        path = str(folder(worker, partition))
        table = Rdict(path, Options(raw_mode=True), access_type=AccessType.read_only())
        found.append({key: value for key, value in table.items() if key in keys})
        table.close()
    return found


def identities(worker: Program) -> list[str]:
    """The ID that each partition's RocksDB got at its creation."""
    return [(folder(worker, p) / "IDENTITY").read_text() for p in range(PARTITIONS)]


def damage(worker: Program) -> None:
    """Overwrites files with garbage of the same length."""
    for partition, pattern in DAMAGED.items():
        files = list(folder(worker, partition).glob(pattern))
        assert files, f"partition {partition} has no {pattern}"
        for file in files:
            file.write_bytes(secrets.token_bytes(file.stat().st_size))


async def stop(worker: Program) -> None:
    """Terminates the worker and waits for its end."""
    worker.process.terminate()
    await asyncio.to_thread(worker.process.wait, 30)
    assert worker.process.returncode == 0


async def start(worker: Program) -> None:
    """Starts the worker and waits until it is ready."""
    worker.start()
    await asyncio.to_thread(worker.wait_until_ready)


def payments_of(stack: Stack, event_ids: set[str]) -> dict[str, str]:
    """The payment IDs by event ID."""
    with psycopg.connect(stack.infrastructure.database_url) as connection:
        rows = connection.execute(
            "select event_id, payment_id from inbox where event_id = any(%s)", [list(event_ids)]
        ).fetchall()
    return dict(rows)


def duplicates(stack: Stack) -> int:
    """The number of records recorded as duplicates."""
    with psycopg.connect(stack.infrastructure.database_url) as connection:
        (count,) = connection.execute("select count(*) from duplicates").fetchone() or (0,)
    return int(count)


async def deliver_again(stack: Stack, event_ids: set[str]) -> None:
    """Delivers webhooks again, and waits until each is recorded as a duplicate."""
    known, before = payments_of(stack, event_ids), duplicates(stack)
    assert known.keys() == event_ids
    async with httpx.AsyncClient(base_url=stack.url, timeout=20.0) as http:
        for event_id, payment_id in known.items():
            body = webhook(event_id, payment_id)
            header = signature_header(body, stack.webhook_secret, int(time.time()))
            response = await http.post(
                "/webhooks/stripe", content=body, headers={"stripe-signature": header}
            )
            assert response.status_code == 200
    wanted = before + len(event_ids)
    await until(lambda: duplicates(stack) >= wanted, "all are recorded as duplicates")
    assert duplicates(stack) == wanted


async def test_a_damaged_table_is_rebuilt_from_the_changelog(site: Site) -> None:
    """After damage to three partitions' files the worker recovers the same table."""
    stack, worker = site.stack, site.stack.programs["stream"]
    async with loaded(stack) as load:
        await load.more(60)
    await evidence.at_rest(stack)
    await stop(worker)
    await start(worker)  # RocksDB writes its tables' files when it is opened
    await stop(worker)
    before, names = entries(worker, load.payments), identities(worker)
    logged = worker.log.read_text()
    assert all(before), "a partition has none of the payments"
    damage(worker)
    await start(worker)
    await deliver_again(stack, load.events)
    await stop(worker)
    dropped = worker.log.read_text()[len(logged) :]
    same = [old == new for old, new in zip(names, identities(worker), strict=True)]
    after = entries(worker, load.payments)
    await start(worker)  # whatever was found: the next test needs it
    assert dropped.count(DROPPED) == len(DAMAGED)
    assert same == [partition not in DAMAGED for partition in range(PARTITIONS)]
    assert after == before
    await assert_nothing_lost(stack, load)


async def test_a_kill_damages_no_table(site: Site) -> None:
    """After kill -9 under load the worker keeps all its tables."""
    stack, worker = site.stack, site.stack.programs["stream"]
    async with supervised(worker) as ended, loaded(stack) as load:
        await load.more(10)
        names, logged = identities(worker), worker.log.read_text()
        worker.process.kill()
        await load.more(10)
        load.stop()
        await assert_nothing_lost(stack, load)
    assert ended[0] == -signal.SIGKILL
    assert identities(worker) == names
    assert DROPPED not in worker.log.read_text()[len(logged) :]


async def test_a_full_disk_stops_the_worker_and_loses_nothing(site: Site) -> None:
    """When no byte can be written, the worker ends without acknowledging, and later catches up."""
    stack, worker = site.stack, site.stack.programs["stream"]
    async with loaded(stack) as load:
        await load.more(10)
        full = worker.process
        # like a full disk, this limit refuses every growth of a file
        resource.prlimit(full.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        await until(lambda: full.poll() is not None, "the worker ends")
        assert full.returncode == os.EX_TEMPFAIL
        await load.more(10)
        await start(worker)
        async with supervised(worker):
            await load.more(10)
            load.stop()
            await assert_nothing_lost(stack, load)
