"""Measures how soon others process a worker's partitions, with and without standby tables.

``python -m tests.outages.takeover --events 300000 --times 3`` prints a row per take-over. Who takes
over has nothing on its disk of the partitions it gets, unless it kept them as a standby.
"""

import argparse
import asyncio
import os
import re
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec
import psutil  # type: ignore[import-untyped] # it ships no types
import psycopg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from rocksdict import AccessType, Options, Rdict

from processor.migrate import migrate
from processor.seen import Entry
from processor.stream import APP_ID
from tests.conftest import PARTITIONS
from tests.faults.keeper import kept, until
from tests.isolation.apart import apart
from tests.outages.conftest import QUICKER
from tests.outages.load import all_is_well, loaded
from tests.outages.servers import running_servers, topics
from tests.outages.test_rebalance import share
from tests.outages.workers import another, partitions_of
from tests.service.stack import Program, Stack, running_stack

CHANGELOG: Final = f"{APP_ID}-seen-changelog"
OFFSET: Final = b"__faust\0offset__"
EVENTS_PER_PAYMENT: Final = 3
#: A standby this close to the end of the changelog has it; records are written all the time.
NEAR: Final = 1_500
LONG_S: Final = 420.0
STATED: Final = re.compile(r"^(\S+ \S+),(\d+) .*partitions\.assigned", re.MULTILINE)


async def fill(bootstrap: str, events: int) -> None:
    """Writes so many records of payments long gone to the table's changelog, in its own format."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, linger_ms=20, max_batch_size=1 << 18)
    await producer.start()
    try:
        now, sent = int(time.time()), []
        for number in range(events // EVENTS_PER_PAYMENT):
            key, partition = f"pay_{secrets.token_hex(15)}".encode(), number % PARTITIONS
            seen: dict[str, tuple[int, int]] = {}
            for event in range(EVENTS_PER_PAYMENT):
                seen[f"evt_{secrets.token_hex(12)}"] = (event % 3, number)
                value = msgspec.msgpack.encode(Entry(now, seen))
                sent.append(await producer.send(CHANGELOG, value, key, partition=partition))
        await asyncio.gather(*sent)
    finally:
        await producer.stop()


async def ends(bootstrap: str) -> dict[int, int]:
    """Where each partition of the changelog ends."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    await consumer.start()
    try:
        found = await consumer.end_offsets(
            [TopicPartition(CHANGELOG, p) for p in range(PARTITIONS)]
        )
    finally:
        await consumer.stop()
    return {tp.partition: end for tp, end in found.items()}


def kept_offset(worker: Program, partition: int) -> int:
    """Up to where a running worker's folder has the changelog of a partition."""
    folders = list(Path(worker.environment["PAYMENTS_DATA_DIR"]).rglob(f"seen-{partition}.db"))
    if not folders:
        return -1
    try:
        table = Rdict(str(folders[0]), Options(raw_mode=True), access_type=AccessType.read_only())
    except Exception:  # noqa: BLE001  # it is being made; rocksdict has no class of its own
        return -1
    value = table.get(OFFSET)
    table.close()
    return int(value) if value else -1


async def standbys_are_near(stack: Stack, workers: Sequence[Program], copies: int) -> None:
    """Waits until enough workers have each partition's table, as far as is on their disks."""
    end = await ends(stack.infrastructure.kafka_bootstrap)

    def near() -> bool:
        return all(
            sum(kept_offset(w, p) > end[p] - NEAR for w in workers) >= 1 + copies for p in end
        )

    async with asyncio.timeout(LONG_S):
        while not await asyncio.to_thread(near):  # noqa: ASYNC110  # only the folders know
            await asyncio.sleep(0.5)  # between two looks, each of which opens every table


async def resumed(stack: Stack, partitions: Collection[int], since: datetime) -> float:
    """Seconds from then until each of these partitions has been committed for again."""
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

    await until(all_committed, "somebody commits for its partitions", LONG_S)
    return (max(found) - since).total_seconds()


def assigned_after(workers: Collection[Program], since: datetime) -> float:
    """Seconds from then until the last of the workers had been given its new partitions."""
    times = []
    for worker in workers:
        for stamp, millis in STATED.findall(worker.log.read_text()):
            at = datetime.fromisoformat(stamp).astimezone(UTC) + timedelta(milliseconds=int(millis))
            if at > since:
                times.append(at)
                break
    return (max(times) - since).total_seconds() if times else float("nan")


async def recover_once(stack: Stack, worker: Program) -> Path:
    """The folder of the one worker, once it has read every partition's table; it has ended."""
    data, began = worker.environment["PAYMENTS_DATA_DIR"], time.monotonic()
    await standbys_are_near(stack, [worker], 0)
    print(f"the whole table recovered in {time.monotonic() - began:.0f} s", flush=True)  # noqa: T201
    worker.stop()
    return Path(shutil.move(data, f"{data}.whole"))


def forget_what_is_not_theirs(workers: Sequence[Program]) -> None:
    """Removes what the workers have on disk of partitions that others have."""
    for worker in workers:
        tables = Path(worker.environment["PAYMENTS_DATA_DIR"]).rglob("seen-*.db")
        mine = {f"seen-{partition}.db" for partition in partitions_of(worker)}
        for folder in [table for table in tables if table.name not in mine]:
            shutil.rmtree(folder)


@contextmanager
def fresh(workers: Sequence[Program], copies: int, whole: Path) -> Iterator[None]:
    """In here the workers run; they begin with the tables as they once were."""
    for worker in workers:
        shutil.rmtree(worker.environment["PAYMENTS_DATA_DIR"], ignore_errors=True)
        shutil.copytree(whole, worker.environment["PAYMENTS_DATA_DIR"])
        worker.log.unlink(missing_ok=True)
        worker.environment["PAYMENTS_STANDBY_REPLICAS"] = str(copies)
        worker.start()
    try:
        yield
    finally:
        for worker in workers:
            worker.stop()


def used(workers: Sequence[Program]) -> tuple[float, ...]:
    """CPU seconds of each so far."""
    processes = [psutil.Process(w.process.pid) for w in workers if w.process is not None]
    return tuple(sum(p.cpu_times()[:2]) for p in processes)


def on_disk(workers: Sequence[Program]) -> float:
    """MiB in all the workers' folders."""
    files = (f for w in workers for f in Path(w.environment["PAYMENTS_DATA_DIR"]).rglob("*"))
    return sum(f.stat().st_size for f in files if f.is_file()) / (1 << 20)


async def end(worker: Program, how: str) -> None:
    """Ends it, and waits until it is gone."""
    assert worker.process is not None
    if how == "SIGTERM":
        worker.process.terminate()
        await asyncio.to_thread(worker.process.wait, LONG_S)
    else:
        worker.kill()


async def take_over(
    stack: Stack, workers: Sequence[Program], copies: int, how: str, whole: Path
) -> str:
    """One take-over, as a row."""
    with fresh(workers, copies, whole):
        await share(workers)
        if not copies:
            forget_what_is_not_theirs(workers)
        async with loaded(stack) as load:
            await load.more(20)
            await standbys_are_near(stack, workers, copies)
            before, taken, began = used(workers), len(load.payments), time.monotonic()
            await load.more(100)
            cpu = [b - a for a, b in zip(before, used(workers), strict=True)]
            per = sum(cpu) / (len(load.payments) - taken) * 1_000
            rate = (len(load.payments) - taken) / (time.monotonic() - began)
            disk = on_disk(workers)
            victim, *others = workers
            mine, asked = partitions_of(victim), datetime.now(UTC)
            async with AsyncExitStack() as supervisors:
                for other in others:  # one that has dropped a record starts anew
                    await supervisors.enter_async_context(kept(other))
                await end(victim, how)
                ended, spent = datetime.now(UTC), -sum(used(others))
                took = (ended - asked).total_seconds()
                again = took + await resumed(stack, mine, ended)
                spent += sum(used(others))  # of no meaning where one of them started anew
                given = assigned_after(others, asked)
                await share(others)
                load.stop()
                await all_is_well(stack, load)
    restarts = sum(worker.log.read_text().count("the worker starts again") for worker in workers)
    seconds = (took, given, again - given, again, spent)
    return (
        f"| {len(workers)} | {copies} | {how} | {' | '.join(f'{s:.1f}' for s in seconds)}"
        f" | {per:.0f} ms at {rate:.0f}/s | {disk:.0f} | {restarts} |"
    )


async def measure(stack: Stack, arguments: argparse.Namespace) -> None:
    """Every row."""
    first = stack.programs["stream"]
    whole = await recover_once(stack, first)
    others = [another(stack, name) for name in ("stream-2", "stream-3")]
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
                    print(row, flush=True)  # noqa: T201  # for whoever measures


def main() -> int:
    """Servers of its own, the table filled, then every row."""
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
        topics(servers.infrastructure.kafka_bootstrap, copies=1)
        asyncio.run(fill(servers.infrastructure.kafka_bootstrap, arguments.events))
        with running_stack(servers.infrastructure, root, quick=QUICKER) as stack:
            print(  # noqa: T201  # for whoever measures
                "| workers | copies | how | ended, s | assigned, s | recovered, s | whole, s"
                " | CPU of the others, s | CPU per payment | disk, MiB | restarts |",
                flush=True,
            )
            asyncio.run(measure(stack, arguments))
    shutil.rmtree(root)
    return 0


if __name__ == "__main__":
    with apart():
        sys.exit(main())
