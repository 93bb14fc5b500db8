"""Each consumer's table equals the service's, also if the consumer is killed again and again."""

import asyncio
import json
from functools import partial
from typing import Any, Final

import psycopg
import pytest

from messaging.lag import GroupLag
from messaging.log_reader import records
from sandbox.client import PaymentsClient
from sandbox.stories import STORIES
from schemas.topics import PAYMENT_OPERATIONS, PAYMENT_STATE
from tests.service.examples.conftest import RunningConsumer, Start
from tests.service.load import Load
from tests.service.stack import Stack
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

SEED: Final = 20_260_301
SIZE: Final = 30
KILLS: Final = 2
WITHIN_S: Final = 60.0


def _stored(stack: Stack) -> tuple[dict[str, tuple[int, Any]], dict[str, tuple[str, str | None]]]:
    """Version and document of every payment, status and code of every operation."""
    with psycopg.connect(stack.infrastructure.database_url) as connection:
        payments = connection.execute("select payment_id, version, snapshot::text from payments")
        operations = connection.execute(
            "select operation_id, status, document ->> 'code' from operations"
        )
        return (
            {row[0]: (row[1], json.loads(row[2])) for row in payments},
            {row[0]: (row[1], row[2]) for row in operations},
        )


async def _until_equal(consumer: RunningConsumer, stack: Stack) -> None:
    async def are_equal() -> bool:
        assert consumer.is_running, consumer.log.read_text()
        rows = consumer.rows()
        payments = {key: (row.version, row.document) for key, row in rows.payments.items()}
        return (payments, rows.operations) == _stored(stack)

    await until(are_equal, WITHIN_S)


async def _has_read_all(bootstrap: str, group: str) -> bool:
    """Whether the group has committed everything; the end of the last transaction is no record."""
    lag = await GroupLag(bootstrap, group).by_partition([PAYMENT_STATE, PAYMENT_OPERATIONS])
    return max(lag.values()) <= 1


async def test_the_table_equals_the_services_whenever_the_consumer_is_killed(
    stack: Stack, start: Start, request: pytest.FixtureRequest
) -> None:
    """It goes on where it was killed. A new group that reads everything again agrees."""
    bootstrap, group = stack.infrastructure.kafka_bootstrap, request.node.name
    load = Load(stack, SIZE, SEED + len(group))
    consumer, living = start(bootstrap, group), asyncio.create_task(load.run())
    for _ in range(KILLS):
        known = sum(row.version for row in consumer.rows().payments.values())
        await until(partial(_has_more, consumer, known), WITHIN_S)
        consumer.kill()
        consumer = start(bootstrap, group)
    await living
    await _reject_a_capture(stack)
    await _until_equal(consumer, stack)
    statuses = {status for status, _ in consumer.rows().operations.values()}
    assert statuses >= {"done", "rejected"}
    published = {r.key async for r in records(bootstrap, PAYMENT_STATE)}
    assert {key.encode() for key in consumer.rows().payments} == published
    consumer.kill()
    again = start(bootstrap, f"{group}-again")
    await until(lambda: _has_read_all(bootstrap, f"{group}-again"), WITHIN_S)
    await _until_equal(again, stack)


async def _has_more(consumer: RunningConsumer, known: int) -> bool:
    """Whether the table has further versions."""
    assert consumer.is_running, consumer.log.read_text()
    return sum(row.version for row in consumer.rows().payments.values()) > known


async def _reject_a_capture(stack: Stack) -> None:
    """Asks for a capture of a payment that has ended."""
    async with PaymentsClient(stack.url, stack.api_key) as client:
        payment_id = await client.create(STORIES["success"].body)
        await client.wait_for(payment_id, STORIES["success"].ends)
        await client.post(f"/v1/payments/{payment_id}/capture", {"amount": "all"})
