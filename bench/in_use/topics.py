"""``python -m bench.in_use.topics``: the bytes that a payment takes on the topics, one copy.

Commands, webhooks and results come at a steady rate, through a producer like the ingress', while a
stream worker processes them. The topics are measured as they were written, and as they are once the
brokers have compacted them, which otherwise takes them up to a day.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice, pairwise
from typing import Final

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from bench.errors import BenchError, StuckError
from bench.figures.report import table
from bench.load import log
from bench.load.workload import Workload, generate
from bench.programs import STREAM, running
from bench.site import PARTITIONS, Site, opened
from domain.call_key import CallKey, Operation
from ingress.kafka_target import LINGER_MS
from messaging.instances import ProducerConfig
from messaging.producer import Producer
from messaging.topic_admin import ALL_TOPICS
from ports.producer_record import ProducerRecord
from runtime.logs import configure_structlog
from sandbox.errors import SandboxError
from schemas.commands import CreatePayment
from schemas.identity import result_event_id
from schemas.results import ProviderResult
from schemas.topics import BODY_BYTES_MAX, PROVIDER_RESULTS

#: Payments.
PER_SECOND: Final = 300.0
ANSWERED_AFTER: Final = timedelta(seconds=0.3)
SENT_WITHIN_S: Final = 30.0
#: Makes the brokers compact at once what they would compact within a day.
AT_ONCE: Final = {
    "min.compaction.lag.ms": "0",
    "max.compaction.lag.ms": "1000",
    "min.cleanable.dirty.ratio": "0.01",
    "segment.ms": "1000",
}
#: Segments close when a record comes after their time.
CLOSED_AFTER_S: Final = 2.0
#: The brokers look for work every 15 seconds. Sizes that stay the same for longer are final.
SETTLED_AFTER_S: Final = 40.0
COMPACTED_WITHIN_S: Final = 600.0


@dataclass(frozen=True, slots=True)
class TopicSize:
    """A topic's records, and its bytes as written and once it is compacted."""

    name: str
    records: int
    written: int
    left: int


def measure(site: Site, payments: int, per_second: float, gather_ms: int) -> list[TopicSize]:
    """Processes this many payments at this rate, and measures the topics.

    ``gather_ms`` is ``PAYMENTS_PUBLISH_GATHER_S`` in milliseconds.

    Raises StuckError, ProgramError.
    """
    asyncio.run(_process(site, generate(1, "topics", payments), per_second, gather_ms))
    names = [topic.name for topic in ALL_TOPICS]
    written = {name: _bytes(site, name) for name in names}
    counts = {name: asyncio.run(log.count(site, name)) for name in names if _is_partitioned(name)}
    asyncio.run(_compact(site))
    left = _settled(site, [t.name for t in ALL_TOPICS if _is_compacted(t.name)])
    return [
        TopicSize(name, counts.get(name, 0), size, left.get(name, size))
        for name, size in written.items()
    ]


def _is_partitioned(name: str) -> bool:
    return next(topic.copartitioned for topic in ALL_TOPICS if topic.name == name)


def _is_compacted(name: str) -> bool:
    found = next(topic for topic in ALL_TOPICS if topic.name == name)
    return found.config["cleanup.policy"] == "compact"


async def _process(site: Site, work: Workload, per_second: float, gather_ms: int) -> None:
    waits = (LINGER_MS, gather_ms, PARTITIONS)
    config = ProducerConfig(site.kafka_bootstrap, "payments-bench", BODY_BYTES_MAX, *waits)
    producer = Producer(config)
    records = list(_records(work))
    rate = per_second * len(records) / len(work.commands)
    try:
        async with running(STREAM, site, PAYMENTS_DATA_DIR=str(site.root / "topics")):
            await log.until_shared(site, 1)
            await producer.send(records[:1], SENT_WITHIN_S)
            begun_at = time.monotonic()
            async with asyncio.TaskGroup() as sending:
                for number, record in enumerate(records[1:]):
                    await asyncio.sleep(max(0.0, begun_at + number / rate - time.monotonic()))
                    sending.create_task(producer.publish(record, SENT_WITHIN_S))
            await log.until_processed(site)
    finally:
        await producer.close()


def _records(work: Workload) -> Iterator[ProducerRecord]:
    """Each payment's command, the answer to its call, and as many webhooks as a payment has."""
    webhooks = iter(log.deliveries_as_records(work.deliveries))
    objects = {delivery.payment_id: delivery.object_id for delivery in work.deliveries}
    each = -(-len(work.deliveries) // len(work.commands))
    for before, command in pairwise((None, *work.commands, None)):
        if command is not None:
            yield from log.commands_as_records([command])
            yield from islice(webhooks, each)
        if before is not None:
            yield _answer(before, objects[before.payment_id])
    yield from webhooks


def _answer(created: CreatePayment, object_id: str) -> ProducerRecord:
    key = str(CallKey.create(created.payment_id))
    result = ProviderResult(
        event_id=result_event_id(key),
        payment_id=created.payment_id,
        provider="stripe",
        call_key=key,
        operation=Operation.CREATE,
        outcome="acknowledged",
        object_id=object_id,
        received_at=created.received_at + ANSWERED_AFTER,
    )
    value = result.model_dump_json().encode()
    return ProducerRecord(PROVIDER_RESULTS, created.payment_id.encode(), value, ())


def _bytes(site: Site, topic: str) -> int:
    """The size of the topic's segments, without their indexes."""
    total = 0
    for number in range(PARTITIONS):
        for segment in site.root.rglob(f"{topic}-{number}/*.log"):
            with suppress(FileNotFoundError):  # compacted away meanwhile
                total += segment.stat().st_size
    return total


async def _compact(site: Site) -> None:
    """Has the brokers compact everything: closes the last segments, which never are."""
    topics = [topic.name for topic in ALL_TOPICS if _is_compacted(topic.name)]
    admin = AIOKafkaAdminClient(bootstrap_servers=site.kafka_bootstrap)
    await admin.start()
    try:
        compacted = {"cleanup.policy": "compact", **AT_ONCE}
        await admin.alter_configs(
            [ConfigResource(ConfigResourceType.TOPIC, name, compacted) for name in topics]
        )
    finally:
        await admin.close()
    await asyncio.sleep(CLOSED_AFTER_S)
    async with AIOKafkaProducer(bootstrap_servers=site.kafka_bootstrap) as producer:
        for name in topics:
            for number in range(PARTITIONS):
                await producer.send_and_wait(name, b"", b"last", partition=number)


def _settled(site: Site, topics: Sequence[str]) -> Mapping[str, int]:
    """The topics' sizes once they don't change any more. Raises StuckError."""
    sizes: dict[str, int] = {}
    since = time.monotonic()
    deadline = since + COMPACTED_WITHIN_S
    while time.monotonic() < deadline:
        found = {name: _bytes(site, name) for name in topics}
        if found != sizes:
            sizes, since = found, time.monotonic()
        if time.monotonic() - since > SETTLED_AFTER_S:
            return sizes
        time.sleep(1)
    raise StuckError(f"the topics are still compacted after {COMPACTED_WITHIN_S:g} s")


def as_markdown(found: Sequence[TopicSize], payments: int) -> str:
    """A table of records and bytes per payment."""
    rows = [
        [
            size.name,
            f"{size.records / payments:,.2f}",
            f"{size.written / payments:,.0f}",
            f"{size.left / payments:,.0f}",
        ]
        for size in found
    ]
    written, left = (sum(getattr(s, of) for s in found) / payments for of in ("written", "left"))
    rows.append(["all topics", "", f"{written:,.0f}", f"{left:,.0f}"])
    return table(["per payment", "records", "bytes as written", "bytes compacted"], rows)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, prints the table, and returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.in_use.topics", description=__doc__)
    parser.add_argument("--payments", type=int, default=20_000, metavar="N")
    parser.add_argument(
        "--per-second", type=float, default=PER_SECOND, metavar="N", help="payments"
    )
    parser.add_argument(
        "--gather-ms", type=int, default=LINGER_MS, metavar="MS", help="PAYMENTS_PUBLISH_GATHER_S"
    )
    options = parser.parse_args(arguments)
    configure_structlog()
    try:
        with opened() as site:
            found = measure(site, options.payments, options.per_second, options.gather_ms)
    except (BenchError, SandboxError) as error:
        print(f"not measured: {error}", file=sys.stderr)
        return 1
    print(as_markdown(found, options.payments))
    return 0


if __name__ == "__main__":
    sys.exit(main())
