"""Measures how soon others take over a worker's partitions, with and without standby tables.

``python -m tests.outages.takeover --events 300000 --times 3`` prints a row per take-over. A new
owner has no table of its new partitions on its disk, unless it was a standby for them.
"""

import argparse
import asyncio
import os
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
import psutil  # type: ignore[import-untyped] # it ships no types
import psycopg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from rocksdict import AccessType, Options, Rdict

from postgres.migrate import migrate
from processor.stream.dedup_table import DedupEntry, short_id
from schemas.topics import APP_ID
from tests.conftest import PARTITIONS
from tests.faults.process_supervisor import supervised, until
from tests.isolation.isolated import isolated
from tests.outages.conftest import QUICKER
from tests.outages.load import assert_nothing_lost, loaded
from tests.outages.servers import create_every_topic, running_servers
from tests.outages.test_rebalance import until_shared
from tests.outages.workers import additional_worker, partitions_of
from tests.service.stack import Program, Stack, running_stack
from tests.support.log_lines import written

CHANGELOG: Final = f"{APP_ID}-dedup-changelog"
OFFSET: Final = b"__faust\0offset__"
EVENTS_PER_PAYMENT: Final = 3
#: A standby within this many records of the changelog's end counts as complete.
NEAR: Final = 1_500
LONG_S: Final = 420.0
#: The log event of an assignment of partitions.
ASSIGNED: Final = "partitions.assigned"


async def fill(bootstrap: str, events: int) -> None:
    """Writes this many entries of old payments to the table's changelog, in its format."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, linger_ms=20, max_batch_size=1 << 18)
    await producer.start()
    try:
        now, sent = int(time.time()), []
        for number in range(events // EVENTS_PER_PAYMENT):
            key, partition = f"pay_{secrets.token_hex(15)}".encode(), number % PARTITIONS
            event_ids: dict[int, tuple[int, int]] = {}
            for event in range(EVENTS_PER_PAYMENT):
                event_ids[short_id(f"evt_{secrets.token_hex(12)}")] = (event % 3, number)
                value = msgspec.msgpack.encode(DedupEntry(now, event_ids))
                sent.append(await producer.send(CHANGELOG, value, key, partition=partition))
        await asyncio.gather(*sent)
    finally:
        await producer.stop()


async def ends(bootstrap: str) -> dict[int, int]:
    """The end offset of each partition of the changelog."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    await consumer.start()
    try:
        found = await consumer.end_offsets(
            [TopicPartition(CHANGELOG, p) for p in range(PARTITIONS)]
        )
    finally:
        await consumer.stop()
    return {tp.partition: end for tp, end in found.items()}


def changelog_offset(worker: Program, partition: int) -> int:
    """The changelog offset up to which a running worker has a partition's table."""
    folders = list(Path(worker.environment["PAYMENTS_DATA_DIR"]).rglob(f"dedup-{partition}.db"))
    if not folders:
        return -1
    try:
        table = Rdict(str(folders[0]), Options(raw_mode=True), access_type=AccessType.read_only())
    except Exception:  # noqa: BLE001  # it is being made; rocksdict has no class of its own
        return -1
    value = table.get(OFFSET)
    table.close()
    return int(value) if value else -1


async def until_standbys_are_near(stack: Stack, workers: Sequence[Program], copies: int) -> None:
    """Waits until enough workers have each partition's table on their disks."""
    end = await ends(stack.infrastructure.kafka_bootstrap)

    def near() -> bool:
        return all(
            sum(changelog_offset(w, p) > end[p] - NEAR for w in workers) >= 1 + copies for p in end
        )

    async with asyncio.timeout(LONG_S):
        while not await asyncio.to_thread(near):  # noqa: ASYNC110  # only the folders know
            await asyncio.sleep(0.5)  # polling interval; each round opens every table


async def resumed(stack: Stack, partitions: Collection[int], since: datetime) -> float:
    """Seconds from then until each of these partitions had a commit again."""
    found: list[datetime] = []

    def all_committed() -> bool:
        with psycopg.connect(stack.infrastructure.database_url) as connection:
            rows = connection.execute(
                "select min(committed_at) from publications"
                " where partition = any(%s) and committed_at > %s group by partition",
                [list(partitions), since],
            ).fetchall()
        found[:] = [at for (at,) in rows]
        return len(found) == len(partitions)

    await until(all_committed, "the partitions have commits again", LONG_S)
    return (max(found) - since).total_seconds()


def assigned_after(workers: Collection[Program], since: datetime) -> float:
    """Seconds from then until the last of the workers had its new partitions."""
    times: list[datetime] = []
    for worker in workers:
        lines = written(worker.log, ASSIGNED)
        given = (datetime.fromisoformat(line["timestamp"]) for line in lines)
        times += [next((at for at in given if at > since), since)]
    return (max(times) - since).total_seconds() if times else float("nan")


async def recover_once(stack: Stack, worker: Program) -> Path:
    """Lets one worker read every partition's table, ends it and returns its folder."""
    data, began = worker.environment["PAYMENTS_DATA_DIR"], time.monotonic()
    await until_standbys_are_near(stack, [worker], 0)
    print(f"the whole table recovered in {time.monotonic() - began:.0f} s", flush=True)  # noqa: T201
    worker.stop()
    return Path(shutil.move(data, f"{data}.whole"))


def remove_other_partitions(workers: Sequence[Program]) -> None:
    """Removes the workers' tables of partitions that are assigned to others."""
    for worker in workers:
        tables = Path(worker.environment["PAYMENTS_DATA_DIR"]).rglob("dedup-*.db")
        mine = {f"dedup-{partition}.db" for partition in partitions_of(worker)}
        for folder in [table for table in tables if table.name not in mine]:
            shutil.rmtree(folder)


@contextmanager
def fresh(workers: Sequence[Program], copies: int, whole: Path) -> Iterator[None]:
    """Runs the workers during the block; they start with copies of the given tables."""
    for worker in workers:
        shutil.rmtree(worker.environment["PAYMENTS_DATA_DIR"], ignore_errors=True)
        shutil.copytree(whole, worker.environment["PAYMENTS_DATA_DIR"])
        worker.log.unlink(missing_ok=True)
        variables = {**worker.environment, "PAYMENTS_STANDBY_REPLICAS": str(copies)}
        worker.command = replace(worker.command, environment=variables)
        worker.start()
    try:
        yield
    finally:
        for worker in workers:
            worker.stop()


def cpu_seconds(workers: Sequence[Program]) -> tuple[float, ...]:
    """Each worker's CPU seconds so far."""
    processes = [psutil.Process(w.process.pid) for w in workers]
    return tuple(sum(p.cpu_times()[:2]) for p in processes)


def on_disk(workers: Sequence[Program]) -> float:
    """MiB in all the workers' folders."""
    files = (f for w in workers for f in Path(w.environment["PAYMENTS_DATA_DIR"]).rglob("*"))
    return sum(f.stat().st_size for f in files if f.is_file()) / (1 << 20)


async def end_worker(worker: Program, how: str) -> None:
    """Ends the worker, and waits for its end."""
    if how == "SIGTERM":
        worker.process.terminate()
        await asyncio.to_thread(worker.process.wait, LONG_S)
    else:
        worker.kill()


async def take_over(
    stack: Stack, workers: Sequence[Program], copies: int, how: str, whole: Path
) -> str:
    """Measures one take-over, and returns its row."""
    with fresh(workers, copies, whole):
        await until_shared(workers)
        if not copies:
            remove_other_partitions(workers)
        async with loaded(stack) as load:
            await load.more(20)
            await until_standbys_are_near(stack, workers, copies)
            before, taken, began = cpu_seconds(workers), len(load.payments), time.monotonic()
            await load.more(100)
            cpu = [b - a for a, b in zip(before, cpu_seconds(workers), strict=True)]
            per = sum(cpu) / (len(load.payments) - taken) * 1_000
            rate = (len(load.payments) - taken) / (time.monotonic() - began)
            disk = on_disk(workers)
            victim, *others = workers
            lost, asked = partitions_of(victim), datetime.now(UTC)
            async with AsyncExitStack() as supervisors:
                for other in others:  # a worker that has dropped a record restarts
                    await supervisors.enter_async_context(supervised(other))
                await end_worker(victim, how)
                ended, spent = datetime.now(UTC), -sum(cpu_seconds(others))
                took = (ended - asked).total_seconds()
                again = took + await resumed(stack, lost, ended)
                spent += sum(cpu_seconds(others))  # meaningless if one of them restarted
                given = assigned_after(others, asked)
                await until_shared(others)
                load.stop()
                await assert_nothing_lost(stack, load)
    restarts = sum(worker.log.read_text().count("the worker restarts") for worker in workers)
    seconds = (took, given, again - given, again, spent)
    return (
        f"| {len(workers)} | {copies} | {how} | {' | '.join(f'{s:.1f}' for s in seconds)}"
        f" | {per:.0f} ms at {rate:.0f}/s | {disk:.0f} | {restarts} |"
    )


async def measure(stack: Stack, arguments: argparse.Namespace) -> None:
    """Measures and prints every row."""
    first = stack.programs["stream"]
    whole = await recover_once(stack, first)
    others = [additional_worker(stack, name) for name in ("stream-2", "stream-3")]
    for _ in range(arguments.times):
        for count in arguments.workers:
            for how in arguments.how:
                for copies in arguments.copies:
                    workers = [first, *others][:count]
                    try:
                        row = await take_over(stack, workers, copies, how, whole)
                    except Exception as error:  # noqa: BLE001  # the next row may well succeed
                        row = (
                            f"| {count} | {copies} | {how} | {type(error).__name__}: {error!s:.300}"
                        )
                    print(row, flush=True)  # noqa: T201  # a row of the table


def main() -> int:
    """Starts servers, fills the table, then measures every row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=300_000)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--workers", type=int, nargs="+", default=[2, 3])
    parser.add_argument("--how", nargs="+", default=["SIGTERM", "kill -9"])
    parser.add_argument("--copies", type=int, nargs="+", default=[0, 1])
    arguments = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="takeover-", dir=os.environ.get("PYTEST_DEBUG_TEMPROOT")))
    root.chmod(0o755)
    with running_servers(root) as servers:
        migrate(servers.infrastructure.database_url)
        create_every_topic(servers.infrastructure.kafka_bootstrap, copies=1)
        asyncio.run(fill(servers.infrastructure.kafka_bootstrap, arguments.events))
        with running_stack(servers.infrastructure, root, quick=QUICKER) as stack:
            print(  # noqa: T201  # a row of the table
                "| workers | copies | how | ended, s | assigned, s | recovered, s | whole, s"
                " | CPU of the others, s | CPU per payment | disk, MiB | restarts |",
                flush=True,
            )
            asyncio.run(measure(stack, arguments))
    shutil.rmtree(root)
    return 0


if __name__ == "__main__":
    with isolated():
        sys.exit(main())
