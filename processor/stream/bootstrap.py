"""Wires the stream worker and runs it."""

import asyncio
import gc
import tempfile
from pathlib import Path

import faust
from prometheus_client import CollectorRegistry

from messaging.lag import GroupLag
from messaging.topic_admin import check_topics
from processor.stream import table_repair
from processor.stream.app import BROKERS, REAL_PARTS, StreamParts, create_app, wire
from processor.stream.metrics import StreamMetrics
from processor.stream.watchdog import guard
from providers.registry import translators
from runtime.clock import utc_now
from runtime.health import Health
from runtime.health_server import serve
from runtime.restart import RESTART
from schemas.settings import (
    DatabaseSettings,
    KafkaSettings,
    MetricsSettings,
    SettingsError,
    StreamSettings,
    load,
)
from schemas.topics import APP_ID


def _collect_less_often() -> None:
    """Collects garbage less often, and never among imported objects.

    A batch makes many thousands of objects, hardly any of them in a cycle: a collection after every
    700 of them took a sixth of the worker's time.
    """
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def _make_writable(data_dir: Path) -> None:
    """Makes the folder of the tables. Raises SettingsError if nothing can be written there."""
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=data_dir):
            pass
    except (OSError, ValueError) as error:  # a NUL in the path is a ValueError
        reason = getattr(error, "strerror", None) or error
        raise SettingsError(
            f"PAYMENTS_DATA_DIR: {str(data_dir)!r} can't be written: {reason}. Name a folder that "
            "this process may write to"
        ) from error


def run_stream(parts: StreamParts = REAL_PARTS) -> int:
    """Runs the Faust worker until SIGTERM or Ctrl-C. Returns the exit code."""
    kafka, database, stream = load(KafkaSettings), load(DatabaseSettings), load(StreamSettings)
    status = load(MetricsSettings)
    _make_writable(stream.data_dir)
    asyncio.run(check_topics(kafka))
    registry, health = CollectorRegistry(), Health()
    _collect_less_often()
    app = create_app(kafka, stream)
    metrics = StreamMetrics(registry)
    activity = wire(app, kafka, database, stream, translators(), metrics, health, utc_now, parts)
    lag = GroupLag(kafka.kafka_bootstrap, APP_ID)
    guard(stream.stall_timeout_s, activity, lag, health.heartbeats[BROKERS].beat)
    worker = faust.Worker(app, loglevel="WARNING", override_logging=False, redirect_stdouts=False)
    serve(status.metrics_host, status.metrics_port, registry, health, worker.loop)
    tables = Path(app.conf.tabledir)
    table_repair.repair(tables)
    try:
        worker.execute_from_commandline()
    except SystemExit as end:  # Faust always ends this way
        if end.code:
            return RESTART
    table_repair.mark_clean_exit(tables)
    return 0
