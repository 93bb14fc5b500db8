"""Three brokers with min.insync.replicas 2: the loss of one stops nothing, of two the intake."""

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError

from postgres.migrate import migrate
from schemas.topics import PROCESSOR_SOURCES
from tests.faults.process_supervisor import WITHIN_S, kept
from tests.outages.conftest import QUICKER, Note, Site
from tests.outages.load import all_is_well, loaded
from tests.outages.servers import running_servers, topics
from tests.service.stack import running_stack

pytestmark = pytest.mark.anyio

BROKERS: Final = 3


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The service on three brokers with a replication factor of three."""
    root = tmp_path_factory.mktemp("three")
    variables = {**QUICKER, "PAYMENTS_REPLICATION_FACTOR": str(BROKERS)}
    with running_servers(root, BROKERS) as servers:
        migrate(servers.infrastructure.database_url)
        topics(servers.infrastructure.kafka_bootstrap, BROKERS)
        with running_stack(servers.infrastructure, root, quick=variables) as stack:
            yield Site(servers, stack, root)


async def described(bootstrap: str) -> list[dict[str, Any]]:
    """Every partition of the processor's sources, with its leader and in-sync replicas."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        found = await admin.describe_topics(list(PROCESSOR_SOURCES))
    finally:
        await admin.close()
    return [partition for topic in found for partition in topic["partitions"]]


async def copies_demanded(bootstrap: str) -> dict[str, str]:
    """By source, the number of brokers that must have a record before it is acknowledged.

    The test checks the setting itself, because with two of three brokers gone the quorum is lost,
    and the last broker refuses everything whatever the setting.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        answers = await admin.describe_configs(
            [ConfigResource(ConfigResourceType.TOPIC, topic) for topic in PROCESSOR_SOURCES]
        )
    finally:
        await admin.close()
    described = [resource for answer in answers for resource in answer.resources]
    return {
        topic: next(entry[1] for entry in entries if entry[0] == "min.insync.replicas")
        for *_, topic, entries in described
    }


async def in_sync(bootstrap: str, count: int) -> None:
    """Waits until so many brokers are in sync for every partition, and each has a leader."""
    async with asyncio.timeout(WITHIN_S):
        while True:
            with suppress(KafkaError):  # the broker may be shutting down
                found = await described(bootstrap)
                if all(len(p["isr"]) == count and p["leader"] in p["isr"] for p in found):
                    return
            await asyncio.sleep(0.1)  # between two looks at one condition


async def test_one_broker_may_die_and_two_are_waited_for(
    three: Site, record_property: Note
) -> None:
    """With one broker dead all goes on; with two, 503 until one is back. Nothing is lost."""
    stack, bootstrap = three.stack, three.servers.infrastructure.kafka_bootstrap
    ingress = stack.programs["ingress"].process
    assert await copies_demanded(bootstrap) == dict.fromkeys(PROCESSOR_SOURCES, "2")
    leader = (await described(bootstrap))[0]["leader"]
    first, second, _ = sorted(three.servers.brokers, key=lambda b: not b.name.endswith(str(leader)))
    async with (
        kept(stack.programs["stream"]) as stream,
        kept(stack.programs["worker"]) as work,
        loaded(stack) as load,
    ):
        await load.more(20)
        first.end(signal.SIGKILL)
        began = time.monotonic()
        await in_sync(bootstrap, 2)
        await load.more(20)
        record_property("20 payments more with two brokers, s", time.monotonic() - began)
        second.end(signal.SIGKILL)
        await load.answered(503)
        taken = len(load.payments)
        for _ in range(3):
            await load.answered(503)
        assert len(load.payments) == taken, "one broker alone took a record"
        second.start()
        began = time.monotonic()
        await load.more(20)
        record_property("20 payments more after the second is back, s", time.monotonic() - began)
        first.start()
        await in_sync(bootstrap, 3)
        await load.more(10)
        load.stop()
        await all_is_well(stack, load)
    record_property("exit codes of stream and work", (stream, work))
    assert set(stream + work) <= {os.EX_TEMPFAIL}
    assert stack.programs["ingress"].process is ingress
