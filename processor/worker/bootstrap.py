"""Wires and runs the worker's loops."""

import asyncio
import random
import signal
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

from prometheus_client import CollectorRegistry
from psycopg_pool import AsyncConnectionPool

from messaging.sender import Sender
from messaging.topic_admin import check_topics
from ports.provider import ProviderClient, Translator
from ports.stores import Outbox
from postgres.deadlines import CONNECTING, ServingConnection
from postgres.stores import Pool, PostgresHistory, PostgresOutbox, PostgresRouting, PostgresSweeps
from processor.worker import consumer_lag, dispatcher
from processor.worker.consumer_lag import ConsumerLag
from processor.worker.dispatcher import Dispatcher
from processor.worker.loops import HeartbeatOutbox, Loop, run_loops
from processor.worker.metrics import WorkerMetrics
from processor.worker.reconciler import Reconciler
from processor.worker.retention import Retention
from processor.worker.router import GROUP, Router, create_consumer
from providers.registry import clients, translators
from runtime.cleanup import close_on_exit
from runtime.clock import utc_now
from runtime.health import Health
from runtime.health_server import serve
from runtime.heartbeat import Heartbeat
from schemas.deadlines import check_deadlines
from schemas.settings import DatabaseSettings, KafkaSettings, MetricsSettings, WorkerSettings, load
from schemas.topics import APP_ID, PROCESSOR_SOURCES, PROVIDER_WEBHOOKS_UNROUTED


@dataclass(frozen=True, slots=True)
class WorkerParts:
    """The factories of the parts that tests replace."""

    outbox: Callable[[Pool], Outbox] = PostgresOutbox
    sender: Callable[[str, str, float], Sender] = Sender
    clients: Callable[[], Mapping[str, ProviderClient]] = clients


def run_worker(parts: WorkerParts = WorkerParts()) -> None:
    """Runs the background loops until SIGTERM or SIGINT."""
    asyncio.run(_run(parts))


async def _run(parts: WorkerParts) -> None:
    kafka, database, settings = load(KafkaSettings), load(DatabaseSettings), load(WorkerSettings)
    status, known_translators = load(MetricsSettings), translators()
    check_deadlines(settings)
    async with AsyncExitStack() as stack:
        known_clients = parts.clients()
        for name, client in known_clients.items():
            close_on_exit(stack, name, client.close)
        await check_topics(kafka)
        registry, health = CollectorRegistry(), Health()
        running = asyncio.get_running_loop()
        serve(status.metrics_host, status.metrics_port, registry, health, running)
        metrics = WorkerMetrics(registry)
        url = database.database_url.get_secret_value()
        sender = parts.sender(kafka.kafka_bootstrap, "payments-worker", 30.0)
        close_on_exit(stack, "sender", sender.close)
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            running.add_signal_handler(number, stop.set)
        pool: AsyncConnectionPool[Any] = AsyncConnectionPool(
            url,
            connection_class=ServingConnection,
            kwargs=dict(CONNECTING),
            min_size=1,
            max_size=8,
            open=False,
            name="worker",
        )
        close_on_exit(stack, "pool", pool.close)
        await pool.open()
        loops = _loops(
            kafka, url, pool, sender, known_clients, known_translators, settings, metrics, parts
        )
        health.heartbeats = {name: each.heartbeat for name, each in loops.items()}
        health.update(operational=True)
        await run_loops(loops, stop, metrics)


def _loops(
    kafka: KafkaSettings,
    url: str,
    pool: Pool,
    sender: Sender,
    known_clients: Mapping[str, ProviderClient],
    known_translators: Mapping[str, Translator],
    settings: WorkerSettings,
    metrics: WorkerMetrics,
    parts: WorkerParts,
) -> dict[str, Loop]:
    """Returns every loop with its heartbeat, by name."""
    source = partial(create_consumer, kafka.kafka_bootstrap)
    jitter = random.Random()  # noqa: S311  # jitter is no secret
    names = (dispatcher.LOOP, "router", "reconciler", "retention", consumer_lag.LOOP)
    heartbeats = {name: Heartbeat() for name in names}
    outbox = HeartbeatOutbox(parts.outbox(pool), heartbeats[dispatcher.LOOP])
    groups = {APP_ID: PROCESSOR_SOURCES, GROUP: (PROVIDER_WEBHOOKS_UNROUTED,)}
    runs = {
        dispatcher.LOOP: Dispatcher(
            outbox, sender, known_clients, settings, metrics, utc_now, jitter
        ).run,
        "router": Router(
            PostgresRouting(pool), sender, source, known_translators, settings, metrics, utc_now,
            heartbeats["router"],
        ).run,
        "reconciler": Reconciler(
            url, PostgresSweeps(pool), sender, known_clients, settings, metrics, utc_now,
            heartbeats["reconciler"],
        ).run,
        "retention": Retention(
            PostgresHistory(pool), settings, metrics, utc_now, heartbeats["retention"]
        ).run,
        consumer_lag.LOOP: ConsumerLag(
            kafka.kafka_bootstrap, groups, settings.lag_every_s, metrics,
            heartbeats[consumer_lag.LOOP],
        ).run,
    }  # fmt: skip
    return {name: Loop(run, heartbeats[name]) for name, run in runs.items()}
