"""A payment can be read from its 202 on, from any replica; and no answer is a false 404."""

import asyncio
import signal
from typing import Any, Final

import httpx
import psycopg
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from psycopg import Connection

from ingress.app import Followed
from ingress.database import Database
from ingress.following import accepted as accepted_commands
from ingress.following.window import CommandWindow
from ingress.metrics import Metrics
from schemas import identity
from schemas.commands import CreatePayment
from schemas.http import Payment, Timeline
from schemas.operations import Operation
from schemas.topics import APP_ID, PAYMENT_COMMANDS
from tests.conftest import PARTITIONS
from tests.ingress.following.conftest import Opened, Replica
from tests.ingress.harness import (
    PAYMENT,
    TENANT_KEYS,
    EmptyLog,
    Log,
    application,
    assert_problem,
    client_of,
    keyed,
)
from tests.ingress.store import StoredPayment
from tests.own_broker import BACK_WITHIN_S, OwnBroker
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

FULL: Final[dict[str, Any]] = {
    **PAYMENT,
    "capture_method": "manual",
    "max_attempts": 3,
    "description": "Two books",
    "metadata": {"order": "1001"},
}


async def created(replica: Replica, key: str, body: dict[str, Any] = PAYMENT) -> Any:
    """Creates a payment. Returns the answer's body."""
    response = await replica.client.post("/v1/payments", json=body, headers=keyed(key))
    assert response.status_code == 202, response.text
    return response.json()


@pytest.fixture
def connection(database_url: str) -> Any:
    """A connection to the real store."""
    with psycopg.connect(database_url, autocommit=True) as connected:
        yield connected


async def test_a_payment_is_read_from_another_replica_right_after_its_202(
    opened: Opened, kafka_bootstrap: str, database: Database
) -> None:
    """Twenty of twenty, while no stream runs."""
    async with opened(kafka_bootstrap, database) as one, opened(kafka_bootstrap, database) as other:
        await asyncio.gather(one.connected(), other.connected())
        for number in range(20):
            accepted = await created(one, f"order-{number}", FULL)
            response = await other.client.get(f"/v1/payments/{accepted['id']}")
            assert response.status_code == 200, response.text
            payment = Payment.model_validate(response.json())
            assert (payment.version, payment.status, payment.quarantined) == (0, "CREATED", False)
            shown = response.json()
            for name in FULL.keys() & Payment.model_fields.keys() | {"expires_at"}:
                assert shown[name] == accepted[name], name


async def test_a_read_waits_for_the_log_to_be_read_to_its_end(
    opened: Opened, kafka_bootstrap: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of the request: a replica that is behind says neither 404 nor 503 at once."""
    monkeypatch.setattr(accepted_commands, "CATCH_UP_S", 10.0)
    async with opened(kafka_bootstrap, database) as one, opened(kafka_bootstrap, database) as other:
        await asyncio.gather(one.connected(), other.connected())
        follower = other.commands._follower
        follower.pause()
        accepted = await created(one, "order-1")
        answer = asyncio.create_task(other.client.get(f"/v1/payments/{accepted['id']}"))
        done, _ = await asyncio.wait({answer}, timeout=0.5)
        assert not done
        assert follower._reading is not None
        follower._reading.resume(*follower._positions)
        assert (await answer).status_code == 200


async def test_what_nobody_sent_is_404(
    opened: Opened, kafka_bootstrap: str, database: Database, tenant: str
) -> None:
    """The log is read to its end, and it is not there."""
    async with opened(kafka_bootstrap, database) as replica:
        await replica.connected()
        accepted = await created(replica, "order-1")
        nothing = identity.payment_id(tenant, "never sent")
        for path in ("", "/timeline", "/client-secret"):
            response = await replica.client.get(f"/v1/payments/{nothing}{path}")
            assert_problem(response, 404, "unknown-payment")
        operation = identity.public_operation_id(
            accepted["id"], identity.command_event_id("op_x", "body")
        )
        response = await replica.client.get(f"/v1/operations/{operation}")
        assert_problem(response, 404, "unknown-operation")


async def test_an_operation_is_read_from_another_replica_right_after_its_202(
    opened: Opened, kafka_bootstrap: str, database: Database
) -> None:
    """As accepted, and as the answer had it; so is a create's."""
    async with opened(kafka_bootstrap, database) as one, opened(kafka_bootstrap, database) as other:
        await asyncio.gather(one.connected(), other.connected())
        accepted = await created(one, "order-1")
        path = f"/v1/payments/{accepted['id']}/refunds"
        refund = await one.client.post(path, json={"amount": 7}, headers=keyed("r"))
        assert refund.status_code == 202
        for answer in (accepted, refund.json()):
            operation = answer["operation"]
            response = await other.client.get(f"/v1/operations/{operation['id']}")
            assert (response.status_code, response.json()) == (200, operation)
            assert Operation.model_validate(response.json()).status == "accepted"


async def test_a_payment_that_waits_for_its_decision_has_an_empty_timeline_and_no_secret(
    opened: Opened, kafka_bootstrap: str, database: Database
) -> None:
    """Neither is an error of the client's."""
    async with opened(kafka_bootstrap, database) as replica:
        await replica.connected()
        path = f"/v1/payments/{(await created(replica, 'order-1'))['id']}"
        history = Timeline.model_validate((await replica.client.get(f"{path}/timeline")).json())
        assert (history.status, history.version, history.entries, history.calls) == (
            "CREATED", 0, (), ()
        )  # fmt: skip
        response = await replica.client.get(f"{path}/client-secret")
        assert_problem(response, 404, "no-client-secret")


async def test_a_create_that_was_rejected_is_no_payment(
    opened: Opened,
    kafka_bootstrap: str,
    database: Database,
    connection: Connection[Any],
    tenant: str,
) -> None:
    """The log has it, and the store says what became of it."""
    async with opened(kafka_bootstrap, database) as replica:
        await replica.connected()
        accepted = await created(replica, "order-1")
        StoredPayment(connection, tenant, "order-1").inbox(
            accepted["event_id"], 1, tenant=tenant, kind="command.create", outcome="rejected"
        )
        response = await replica.client.get(f"/v1/payments/{accepted['id']}")
        assert_problem(response, 404, "unknown-payment")
        response = await replica.client.get(f"/v1/operations/{accepted['operation']['id']}")
        assert (response.status_code, response.json()["status"]) == (200, "rejected")


async def test_a_payment_that_is_decided_between_two_looks_is_found(
    database: Database, connection: Connection[Any], tenant: str
) -> None:
    """The store did not have it, then the log has nothing more to decide: it is in the store."""
    stored = StoredPayment(connection, tenant, "order-1")

    class DecidedMeanwhile(EmptyLog):
        async def create_of(self, payment_id: str) -> CreatePayment | None:
            stored.version("SUCCEEDED", "evt_1")
            return await super().create_of(payment_id)

    followed = Followed(DecidedMeanwhile(), EmptyLog())
    tenants = {tenant: TENANT_KEYS["acme"]}
    app = application(Log(), database, Metrics(), tenants, followed=followed)
    async with client_of(app) as client:
        response = await client.get(f"/v1/payments/{stored.id}")
    assert (response.status_code, response.json()["status"]) == (200, "SUCCEEDED")


async def test_without_a_store_nothing_is_said(
    opened: Opened, kafka_bootstrap: str, no_database: Database
) -> None:
    """It may have the payment, at a later version."""
    async with opened(kafka_bootstrap, no_database) as replica:
        await replica.connected()
        accepted = await created(replica, "order-1")
        for path in (
            f"/v1/payments/{accepted['id']}",
            f"/v1/operations/{accepted['operation']['id']}",
        ):
            response = await replica.client.get(path)
            assert_problem(response, 503, "database-unavailable")


def is_unknown(response: httpx.Response) -> bool:
    """Whether the answer is that nothing can be said at the moment."""
    assert_problem(response, 503, "not-known-yet")
    return int(response.headers["retry-after"]) >= 1


async def test_without_a_log_nothing_is_said_and_then_it_is_read_on(
    opened: Opened, broker: OwnBroker, database: Database, tenant: str
) -> None:
    """The broker comes later than the ingress, freezes, and is killed: 503, never 404."""
    async with opened(broker.bootstrap, database) as replica:
        unknown = f"/v1/payments/{identity.payment_id(tenant, 'never sent')}"
        assert is_unknown(await replica.client.get(unknown))
        await broker.start()
        await broker.make_topics()
        await replica.connected()
        path = f"/v1/payments/{(await created(replica, 'order-1'))['id']}"
        assert (await replica.client.get(path)).status_code == 200
        assert_problem(await replica.client.get(unknown), 404, "unknown-payment")

        broker.signal(signal.SIGSTOP)
        assert is_unknown(await replica.client.get(unknown))
        assert is_unknown(await replica.client.get(path))
        broker.signal(signal.SIGCONT)

        async def found() -> bool:
            return (await replica.client.get(path)).status_code == 200

        await until(found, BACK_WITHIN_S)
        broker.signal(signal.SIGKILL)
        assert is_unknown(await replica.client.get(unknown))
        await broker.start()
        await until(found, BACK_WITHIN_S)


async def decide_all(bootstrap: str) -> None:
    """Commits the present ends in the stream's name."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=APP_ID)
    await consumer.start()
    try:
        partitions = [TopicPartition(PAYMENT_COMMANDS, number) for number in range(PARTITIONS)]
        consumer.assign(partitions)
        await consumer.commit(await consumer.end_offsets(partitions))
    finally:
        await consumer.stop()


async def test_outside_of_the_window_nothing_is_said_unless_all_of_it_is_decided(
    opened: Opened, broker: OwnBroker, database: Database, tenant: str
) -> None:
    """What was evicted and not decided is nowhere: neither in the store nor in the window."""
    await broker.start()
    await broker.make_topics()
    async with opened(broker.bootstrap, database, window=CommandWindow(entries_max=40)) as replica:
        await replica.connected()
        paths = [
            f"/v1/payments/{(await created(replica, f'order-{number}'))['id']}"
            for number in range(60)
        ]
        unknown = f"/v1/payments/{identity.payment_id(tenant, 'never sent')}"
        assert (await replica.client.get(paths[-1])).status_code == 200
        assert is_unknown(await replica.client.get(paths[0]))
        assert is_unknown(await replica.client.get(unknown))
        await decide_all(broker.bootstrap)

        async def is_absent() -> bool:
            return (await replica.client.get(unknown)).status_code == 404

        await until(is_absent, 10)
        assert_problem(await replica.client.get(paths[0]), 404, "unknown-payment")


async def test_a_replica_that_starts_later_knows_what_is_not_decided(
    opened: Opened, broker: OwnBroker, database: Database
) -> None:
    """It begins where the stream is; what it does not keep as it was it reads from the log."""
    await broker.start()
    await broker.make_topics()
    async with opened(broker.bootstrap, database) as first:
        await first.connected()
        decided = await created(first, "decided")
        await decide_all(broker.bootstrap)
        waiting = [await created(first, f"order-{number}") for number in range(10)]
    async with opened(
        broker.bootstrap, database, window=CommandWindow(values_bytes_max=1_000)
    ) as later:
        await later.connected()
        for accepted in waiting:
            response = await later.client.get(f"/v1/payments/{accepted['id']}")
            assert (response.status_code, response.json()["version"]) == (200, 0)
        response = await later.client.get(f"/v1/payments/{decided['id']}")
        assert_problem(response, 404, "unknown-payment")


async def test_a_new_log_is_read_from_its_beginning(
    opened: Opened, broker: OwnBroker, database: Database
) -> None:
    """A topic that was deleted and made again has nothing of what the window had."""
    await broker.start()
    await broker.make_topics()
    async with opened(broker.bootstrap, database) as replica:
        await replica.connected()
        old = [f"/v1/payments/{(await created(replica, f'old-{n}'))['id']}" for n in range(20)]
        admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap)
        await admin.start()
        await admin.delete_topics([PAYMENT_COMMANDS])
        await admin.close()
        await broker.make_topics()

        async def forgotten() -> bool:
            return (await replica.client.get(old[0])).status_code == 404

        await until(forgotten, BACK_WITHIN_S)
        path = f"/v1/payments/{(await created(replica, 'new'))['id']}"

        async def found() -> bool:
            return (await replica.client.get(path)).status_code == 200

        await until(found, BACK_WITHIN_S)
