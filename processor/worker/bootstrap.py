"""Wires and runs the worker's loops."""

import asyncio
import random
import signal
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial

from prometheus_client import CollectorRegistry
from psycopg_pool import AsyncConnectionPool

from messaging.sender import Sender
from messaging.topic_admin import check_topics
from ports.provider import ProviderClient, Translator
from ports.rate_budget import RateBudget, RequestClass
from ports.stores import Outbox
from postgres.deadlines import CONNECTING, ServingConnection
from postgres.notices import PostgresNotices
from postgres.rate_budgets import PostgresRateBudgets
from postgres.stores import (
    Pool,
    PostgresHistory,
    PostgresOutbox,
    PostgresRouting,
    PostgresSweeps,
)
from processor.worker import consumer_lag
from processor.worker.calls import dispatcher
from processor.worker.calls.dispatcher import Dispatcher
from processor.worker.consumer_lag import ConsumerLag
from processor.worker.loops import HeartbeatOutbox, Loop, run_loops
from processor.worker.metrics import BudgetMetrics, WorkerMetrics
from processor.worker.rate_budget import SharedBudget
from processor.worker.retention import Retention
from processor.worker.router import Router, create_consumer
from processor.worker.sweeps.leadership import PostgresLeadership
from processor.worker.sweeps.reconciler import LEADER, Notices, Reconciler
from providers.registry import (
    account_checks,
    clients,
    gap_finders,
    notice_translators,
    rate_limits,
    translators,
)
from runtime.cleanup import close_on_exit
from runtime.clock import utc_now
from runtime.health import Health
from runtime.health_server import serve
from runtime.heartbeat import Heartbeat
from schemas.deadlines import check_deadlines, check_retentions
from schemas.settings import DatabaseSettings, KafkaSettings, MetricsSettings, WorkerSettings, load
from schemas.topics import APP_ID, PROCESSOR_SOURCES, PROVIDER_WEBHOOKS_UNROUTED, ROUTER_GROUP


@dataclass(frozen=True, slots=True)
class WorkerParts:
    """The factories of the parts that tests replace."""

    outbox: Callable[[Pool], Outbox] = PostgresOutbox
    sender: Callable[[str, str, float], Sender] = Sender
    clients: Callable[[Mapping[str, RateBudget], RequestClass], Mapping[str, ProviderClient]] = (
        clients
    )


@dataclass(frozen=True, slots=True)
class Providers:
    """Each provider's rate budget and clients, by its name.

    The dispatcher and the sweeps have clients of their own, because the reads of the one are
    look-ups, which come before sweeps.
    """

    budgets: Mapping[str, RateBudget]
    for_calls: Mapping[str, ProviderClient]
    for_sweeps: Mapping[str, ProviderClient]

    def all_clients(self) -> list[tuple[str, ProviderClient]]:
        """Returns every client with its provider's name."""
        return [*self.for_calls.items(), *self.for_sweeps.items()]


def run_worker(parts: WorkerParts = WorkerParts()) -> None:
    """Runs the background loops until SIGTERM or SIGINT."""
    asyncio.run(_run(parts))


async def _run(parts: WorkerParts) -> None:
    kafka, database, settings = load(KafkaSettings), load(DatabaseSettings), load(WorkerSettings)
    status, known_translators = load(MetricsSettings), translators()
    check_deadlines(settings)
    check_retentions(kafka, settings)
    async with AsyncExitStack() as stack:
        registry, health = CollectorRegistry(), Health()
        metrics = WorkerMetrics(registry)
        url = database.database_url.get_secret_value()
        pool = _pool(url)
        providers = _providers(pool, BudgetMetrics(registry), parts)
        for name, client in providers.all_clients():
            close_on_exit(stack, name, client.close)
        await check_topics(kafka)
        running = asyncio.get_running_loop()
        serve(status.metrics_host, status.metrics_port, registry, health, running)
        sender = parts.sender(kafka.kafka_bootstrap, "payments-worker", 30.0)
        close_on_exit(stack, "sender", sender.close)
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            running.add_signal_handler(number, stop.set)
        close_on_exit(stack, "pool", pool.close)
        await pool.open()
        loops = _loops(
            kafka, url, pool, sender, providers, known_translators, settings, metrics, parts
        )
        health.heartbeats = {name: each.heartbeat for name, each in loops.items()}
        health.update(operational=True)
        await run_loops(loops, stop, metrics)


def _pool(url: str) -> Pool:
    """Returns the worker's connections, which are not open yet."""
    return AsyncConnectionPool(
        url,
        connection_class=ServingConnection,
        kwargs=dict(CONNECTING),
        min_size=1,
        max_size=8,
        open=False,
        name="worker",
    )


def _providers(pool: Pool, metrics: BudgetMetrics, parts: WorkerParts) -> Providers:
    """Returns the rate budgets and clients of all providers. Raises SettingsError."""
    jitter = random.Random()  # noqa: S311  # jitter is no secret
    store = PostgresRateBudgets(pool)
    budgets = {
        name: SharedBudget(name, limit, store, metrics, jitter)
        for name, limit in rate_limits().items()
    }
    return Providers(
        budgets,
        parts.clients(budgets, RequestClass.LOOK_UP),
        parts.clients(budgets, RequestClass.SWEEP),
    )


def _loops(
    kafka: KafkaSettings,
    url: str,
    pool: Pool,
    sender: Sender,
    providers: Providers,
    known_translators: Mapping[str, Translator],
    settings: WorkerSettings,
    metrics: WorkerMetrics,
    parts: WorkerParts,
) -> dict[str, Loop]:
    """Returns every loop with its heartbeat, by name."""
    source = partial(create_consumer, kafka.kafka_bootstrap)
    jitter = random.Random()  # noqa: S311  # jitter is no secret
    names = (dispatcher.LOOP, "router", LEADER, "retention", consumer_lag.LOOP)
    heartbeats = {name: Heartbeat() for name in names}
    outbox = HeartbeatOutbox(parts.outbox(pool), heartbeats[dispatcher.LOOP])
    leadership = PostgresLeadership(url, heartbeats[LEADER])
    reconciler = Reconciler(
        PostgresSweeps(pool), sender, providers.for_sweeps, known_translators, settings, metrics,
        utc_now, leadership, Heartbeat, account_checks(providers.for_sweeps),
        # a few requests for what is known to be wrong: they come before sweeps
        Notices(PostgresNotices(pool), gap_finders(providers.for_calls)),
    )  # fmt: skip
    groups = {APP_ID: PROCESSOR_SOURCES, ROUTER_GROUP: (PROVIDER_WEBHOOKS_UNROUTED,)}
    runs = {
        dispatcher.LOOP: Dispatcher(
            outbox, sender, providers.for_calls, settings, metrics, utc_now, jitter,
            providers.budgets,
        ).run,
        "router": Router(
            PostgresRouting(pool), sender, source, known_translators, settings, metrics, utc_now,
            heartbeats["router"], notice_translators(),
        ).run,
        LEADER: leadership.run,
        "retention": Retention(
            PostgresHistory(pool), settings, metrics, utc_now, heartbeats["retention"]
        ).run,
        consumer_lag.LOOP: ConsumerLag(
            kafka.kafka_bootstrap, groups, settings.lag_every_s, metrics,
            heartbeats[consumer_lag.LOOP],
        ).run,
    }  # fmt: skip
    loops = {name: Loop(run, heartbeats[name]) for name, run in runs.items()}
    return loops | reconciler.loops()
