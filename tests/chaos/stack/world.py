"""Starts everything a run needs: brokers, Postgres, the provider, the service, the links."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psycopg

from messaging.topic_admin import create_topics
from postgres.migrate import migrate
from sandbox.client import SimulatorControl
from sandbox.supervision.readiness import listens
from sandbox.testing import installed_kafka
from schemas.settings import KafkaSettings
from tests.chaos.history import History
from tests.chaos.stack import gateway, toxiproxy
from tests.chaos.stack.plan import Plan, url
from tests.chaos.stack.process_supervisor import ProcessSupervisor, SupervisedProcess
from tests.chaos.stack.topology import BROKERS, GATEWAY, INGRESSES, SIMULATOR, TOXIPROXY
from tests.chaos.stack.toxiproxy import Links
from tests.conftest import PARTITIONS
from tests.service.stack import Stack


@dataclass(frozen=True, slots=True)
class Service:
    """The programs that run as the service.

    Args:
        modules: the arguments of ``python -m``, by the first part of a program's name.
        environment: variables added to every program's own.
        statements: SQL that changes the migrated database.
    """

    modules: Mapping[str, tuple[str, ...]]
    environment: Mapping[str, str] = field(default_factory=dict)
    statements: Sequence[str] = ()


UNCHANGED: Final = Service(
    {"ingress": ("cli", "ingress"), "stream": ("cli", "stream"), "worker": ("cli", "worker")}
)


@dataclass(frozen=True)
class World:
    """The running processes, with access that bypasses all links."""

    plan: Plan
    history: History
    processes: Mapping[str, SupervisedProcess]
    links: Links
    provider: SimulatorControl

    @property
    def stack(self) -> Stack:
        """The stack, for gathering evidence."""
        return Stack(self.plan.infrastructure, self.plan.environment())

    def urls(self, side: str) -> dict[str, str]:
        """By link, the URL at which clients or webhooks reach an ingress."""
        names = [f"{side}-{ingress}" for ingress in INGRESSES]
        return {name: url(self.plan.ports[name]) for name in names}

    async def until_ready(self) -> None:
        """Waits until every process is ready. Raises ChaosError."""
        await asyncio.gather(*(each.until_ready() for each in self.processes.values()))


@asynccontextmanager
async def running(
    folder: Path, history: History, seed: int, service: Service
) -> AsyncIterator[World]:
    """Starts everything, and stops it at the end. Enter it on the main thread.

    Raises SandboxError if something cannot be installed or started.
    """
    program = await asyncio.to_thread(toxiproxy.built)
    plan, java = Plan.new(folder), await installed_kafka()
    processes: dict[str, SupervisedProcess] = {}
    links = Links(plan.ports, lambda: processes[TOXIPROXY].pid)
    provider = SimulatorControl(url(plan.ports[SIMULATOR]))
    world = World(plan, history, processes, links, provider)
    webhooks = gateway.serving(plan.ports[GATEWAY], world.urls("webhooks"), history)
    async with ProcessSupervisor(plan.logs, history) as supervisor, links, provider, webhooks:
        api = plan.ports[TOXIPROXY]
        processes[TOXIPROXY] = supervisor.supervise(
            toxiproxy.command(program, api, seed), listens(api)
        )
        brokers = plan.brokers(java)
        await asyncio.gather(
            plan.server.initialize(plan.logs), *(each.format(plan.logs) for each in brokers)
        )
        for each in (*(broker.program() for broker in brokers), plan.server.program()):
            processes[each.name] = supervisor.supervise(each.command, each.ready)
        processes[SIMULATOR] = supervisor.supervise(*plan.simulator())
        await world.until_ready()
        await links.open(plan.link_targets())
        await _prepare(plan, service.statements)
        for command, ready in plan.programs(service.modules, service.environment):
            processes[command.name] = supervisor.supervise(command, ready)
        await world.until_ready()
        yield world


async def _prepare(plan: Plan, statements: Sequence[str]) -> None:
    """Creates tables and topics."""
    here = plan.infrastructure
    await asyncio.to_thread(migrate, here.database_url)
    async with await psycopg.AsyncConnection.connect(here.database_url) as connection:
        for statement in statements:
            await connection.execute(statement.encode())
    await create_topics(
        KafkaSettings(
            kafka_bootstrap=here.kafka_bootstrap,
            partitions=PARTITIONS,
            replication_factor=len(BROKERS),
        )
    )
