"""The one place where the environment's settings become a whole application."""

import gc
from datetime import UTC, datetime

from fastapi import FastAPI

from ingress.app import create_app
from ingress.database import Database
from ingress.metrics import Metrics
from ingress.producer import KafkaTarget
from ingress.publisher import KafkaPublisher
from providers.registry import readers
from schemas.settings import (
    DatabaseSettings,
    IngressSettings,
    KafkaSettings,
    SettingsError,
    load,
)


def utc_now() -> datetime:
    """The real clock."""
    return datetime.now(UTC)


def application() -> FastAPI:
    """The ingress as the environment describes it. Raises SettingsError."""
    settings = load(IngressSettings)
    kafka = load(KafkaSettings)
    known = readers()
    if settings.default_provider not in known:
        raise SettingsError(
            f"PAYMENTS_DEFAULT_PROVIDER: there is no provider {settings.default_provider!r}. "
            f"There is: {', '.join(sorted(known))}"
        )
    metrics = Metrics()
    target = KafkaTarget(kafka.kafka_bootstrap, kafka.partitions, settings.body_limit_bytes)
    publisher = KafkaPublisher(target, settings.publish_timeout_s, metrics)
    database = Database(load(DatabaseSettings).database_url)
    return create_app(
        settings,
        readers=known,
        publisher=publisher,
        database=database,
        metrics=metrics,
        clock=utc_now,
        resources=(database, publisher),
    )


def worker() -> FastAPI:
    """Uvicorn's factory, called in each worker's process: the application, at home there.

    What was imported and made for good is left out when garbage is looked for: to go through it
    stopped every request for about a tenth of a second, every other second at 1,300 webhooks a
    second.
    """
    app = application()
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    return app
