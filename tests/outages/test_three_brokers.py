"""Three brokers with min.insync.replicas 2: one may fail; without two, requests are refused."""

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
from tests.faults.process_supervisor import WITHIN_S, supervised
from tests.outages.conftest import QUICKER, RecordProperty, Site
from tests.outages.load import assert_nothing_lost, loaded
from tests.outages.servers import create_every_topic, running_servers
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
        create_every_topic(servers.infrastructure.kafka_bootstrap, BROKERS)
        with running_stack(servers.infrastructure, root, quick=variables) as stack:
            yield Site(servers, stack, root)


async def describe_partitions(bootstrap: str) -> list[dict[str, Any]]:
    """Every partition of the processor's sources, with its leader and in-sync replicas."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        found = await admin.describe_topics(list(PROCESSOR_SOURCES))
    finally:
        await admin.close()
    return [partition for topic in found for partition in topic["partitions"]]


async def min_insync_replicas(bootstrap: str) -> dict[str, str]:
    """By source, the number of brokers that must have a record before it is acknowledged.

    The test checks the setting itself, because without two of three brokers the quorum is lost,
    and the last broker refuses everything, with any setting.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        responses = await admin.describe_configs(
            [ConfigResource(ConfigResourceType.TOPIC, topic) for topic in PROCESSOR_SOURCES]
        )
    finally:
        await admin.close()
    resources = [resource for response in responses for resource in response.resources]
    return {
        topic: next(entry[1] for entry in entries if entry[0] == "min.insync.replicas")
        for *_, topic, entries in resources
    }


async def until_in_sync(bootstrap: str, count: int) -> None:
    """Waits until every partition has a leader and this many in-sync replicas."""
    async with asyncio.timeout(WITHIN_S):
        while True:
            with suppress(KafkaError):  # the broker may be shutting down
                found = await describe_partitions(bootstrap)
                if all(len(p["isr"]) == count and p["leader"] in p["isr"] for p in found):
                    return
            await asyncio.sleep(0.1)  # polling interval


async def test_one_broker_may_fail_and_two_failures_refuse_requests(
    three: Site, record_property: RecordProperty
) -> None:
    """Without one broker all goes on. Without two, requests get 503 until one is back."""
    stack, bootstrap = three.stack, three.servers.infrastructure.kafka_bootstrap
    ingress = stack.programs["ingress"].process
    assert await min_insync_replicas(bootstrap) == dict.fromkeys(PROCESSOR_SOURCES, "2")
    leader = (await describe_partitions(bootstrap))[0]["leader"]
    first, second, _ = sorted(three.servers.brokers, key=lambda b: not b.name.endswith(str(leader)))
    async with (
        supervised(stack.programs["stream"]) as stream,
        supervised(stack.programs["worker"]) as work,
        loaded(stack) as load,
    ):
        await load.more(20)
        first.end(signal.SIGKILL)
        began = time.monotonic()
        await until_in_sync(bootstrap, 2)
        await load.more(20)
        record_property("20 more payments with two brokers, s", time.monotonic() - began)
        second.end(signal.SIGKILL)
        await load.until_response(503)
        accepted = len(load.payments)
        for _ in range(3):
            await load.until_response(503)
        assert len(load.payments) == accepted, "one broker alone accepted a record"
        second.start()
        began = time.monotonic()
        await load.more(20)
        record_property("20 more payments after the second is back, s", time.monotonic() - began)
        first.start()
        await until_in_sync(bootstrap, 3)
        await load.more(10)
        load.stop()
        await assert_nothing_lost(stack, load)
    record_property("exit codes of stream and work", (stream, work))
    assert set(stream + work) <= {os.EX_TEMPFAIL}
    assert stack.programs["ingress"].process is ingress
