"""Replicas of the ingress, each with followers of its own, on a real broker."""

import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from ingress.app import Followed
from ingress.database import Database
from ingress.following.accepted import FollowedCommands
from ingress.following.changes import FollowedChanges
from ingress.following.waiters import Waiters
from ingress.following.window import CommandWindow
from ingress.kafka_target import KafkaTarget
from ingress.metrics import Metrics
from ingress.publisher import KafkaPublisher
from tests.conftest import PARTITIONS
from tests.ingress.harness import TENANT_KEYS, application, client_of
from tests.own_broker import OwnBroker, own_broker
from tests.support.waiting import until

READY_WITHIN_S = 20.0


@dataclass
class Replica:
    """One running ingress without a server, and the client of ``acme`` for it."""

    app: FastAPI
    client: httpx.AsyncClient
    publisher: KafkaPublisher
    commands: FollowedCommands
    changes: FollowedChanges
    waiters: Waiters
    metrics: Metrics

    async def connected(self) -> None:
        """Returns once it publishes and follows."""

        async def is_ready() -> bool:
            following = (self.commands._follower, self.changes._follower)
            return (
                all(each.is_connected for each in following)
                and await self.publisher.unavailable_reason() is None
            )

        await until(is_ready, READY_WITHIN_S)


@pytest.fixture
def run() -> str:
    """A unique ID that separates this test's payments from others."""
    return uuid.uuid4().hex


@pytest.fixture
def tenant(run: str) -> str:
    """The tenant of the clients."""
    return f"acme-{run}"


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """The real store."""
    async with Database(SecretStr(database_url)) as opened:
        yield opened


Opened = Callable[..., AbstractAsyncContextManager[Replica]]


@pytest.fixture
def opened(tenant: str) -> Opened:
    """Opens a replica on a broker and a store."""

    @asynccontextmanager
    async def replica(
        bootstrap: str,
        store: Database,
        *,
        window: CommandWindow | None = None,
        waiters_max: int = 100,
    ) -> AsyncIterator[Replica]:
        metrics = Metrics()
        publisher = KafkaPublisher(KafkaTarget(bootstrap, PARTITIONS, 262_144), 3.0, metrics)
        waiters = Waiters(metrics, waiters_max)
        commands = FollowedCommands(bootstrap, PARTITIONS, metrics, window)
        changes = FollowedChanges(bootstrap, PARTITIONS, waiters)
        app = application(
            publisher,
            store,
            metrics,
            {tenant: TENANT_KEYS["acme"]},
            followed=Followed(commands, changes),
        )
        async with AsyncExitStack() as stack:
            for resource in (publisher, commands, changes):
                await stack.enter_async_context(resource)
            client = await stack.enter_async_context(client_of(app))
            yield Replica(app, client, publisher, commands, changes, waiters, metrics)

    return replica


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[OwnBroker]:
    """A formatted broker that is not started."""
    async with own_broker(tmp_path) as own:
        yield own
