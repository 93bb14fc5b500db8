"""Builds the application from the environment's settings."""

import gc
from typing import Final

from fastapi import FastAPI

from ingress.accounts import AccountChoice, Providers
from ingress.app import Followed, create_app
from ingress.database import Database
from ingress.following.accepted import FollowedCommands
from ingress.following.changes import FollowedChanges
from ingress.following.waiters import WAITERS_MAX, Waiters
from ingress.http import open_files
from ingress.http.connections import Connections, Limits
from ingress.kafka_target import KafkaTarget
from ingress.metrics import Metrics
from ingress.publisher import KafkaPublisher
from providers.registry import (
    client_secret_readers,
    environment_accounts,
    money_rules,
    notice_readers,
    readers,
    tenant_accounts,
)
from runtime import logs
from runtime.clock import utc_now
from schemas.accounts.provider_accounts import TenantAccounts
from schemas.settings import (
    DatabaseSettings,
    IngressSettings,
    KafkaSettings,
    SettingsError,
    load,
)

CONNECTIONS_MIN: Final = 16


def application() -> FastAPI:
    """Returns the ingress that the environment configures. Raises SettingsError."""
    settings = load(IngressSettings)
    kafka = load(KafkaSettings)
    own = environment_accounts()
    if settings.default_provider not in own:
        raise SettingsError(
            f"PAYMENTS_DEFAULT_PROVIDER: provider {settings.default_provider!r} is not configured. "
            f"Use one of: {', '.join(sorted(own))}"
        )
    others = TenantAccounts(default=settings.default_provider, allowed=own)
    metrics = Metrics()
    target = KafkaTarget(
        kafka.kafka_bootstrap,
        kafka.partitions,
        settings.body_limit_bytes,
        settings.publish_gather_s,
    )
    publisher = KafkaPublisher(target, settings.publish_timeout_s, metrics)
    database = Database(load(DatabaseSettings).database_url)
    connections = Connections(connection_limits(settings), metrics, open_files.in_use)
    # a waiting request keeps its connection, and others need some
    waiters = Waiters(metrics, min(WAITERS_MAX, connections.limits.connections // 2))
    connections.at_shutdown(waiters.close)
    accepted = FollowedCommands(kafka.kafka_bootstrap, kafka.partitions, metrics)
    changes = FollowedChanges(kafka.kafka_bootstrap, kafka.partitions, waiters)
    return create_app(
        settings,
        providers=Providers(
            choice=AccountChoice(tenant_accounts(), others),
            readers=readers(),
            notices=notice_readers(),
            money_rules=money_rules(),
            client_secrets=client_secret_readers(),
        ),
        publisher=publisher,
        database=database,
        followed=Followed(accepted, changes),
        metrics=metrics,
        clock=utc_now,
        resources=(database, publisher, accepted, changes),
        connections=connections,
    )


def connection_limits(settings: IngressSettings) -> Limits:
    """Returns the limits that the settings and the system's limit of open files allow.

    Raises the process's limit of open files, as far as the system permits. Raises SettingsError if
    fewer than ``CONNECTIONS_MIN`` connections are possible.
    """
    files = open_files.raise_limit(settings.max_connections + open_files.RESERVED)
    room = files - open_files.RESERVED
    if room < CONNECTIONS_MIN:
        raise SettingsError(
            f"this process may open {files} files, but needs at least "
            f"{open_files.RESERVED + CONNECTIONS_MIN}. Raise the limit of open files (ulimit -n)"
        )
    return Limits(
        head_bytes=settings.head_limit_bytes,
        head_s=settings.head_timeout_s,
        body_s=settings.body_timeout_s,
        keep_alive_s=settings.keep_alive_timeout_s,
        response_s=settings.response_timeout_s,
        connections=min(settings.max_connections, room),
        open_files=files,
    )


def worker_application() -> FastAPI:
    """Returns the application. Uvicorn calls this factory in each worker process.

    It excludes all objects that exist after start-up from garbage collection. Scanning them paused
    every request for about 0.1 s, every other second, at 1,300 webhooks a second.
    """
    logs.configure_structlog()
    app = application()
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    return app
