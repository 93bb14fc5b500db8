"""``payments``: the processor's programs. The one place that wires them.

migrate   applies migrations/*.sql
topics    creates the topics
stream    the Faust worker: commands, webhooks and results to state
work      provider calls, router and reconciler
schemas   writes the JSON Schema files and the drawing of the state machine

An operator's commands (docs/operating.md; each has a --help of its own):

replay        lists payments our own code failed on, and takes their holds away after a fix
dead-letters  lists records nobody could decode, and sends them to their topics again
rebuild       decides the whole log anew and compares it with what is stored
audit         checks every invariant on the running system; 1 when one is violated, 2 when it
              could not look
"""

import argparse
import asyncio
import gc
import logging
import random
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

import faust
import psycopg
from aiokafka.errors import KafkaError
from prometheus_client import CollectorRegistry
from psycopg_pool import AsyncConnectionPool

from processor import migrate as migrations
from processor import table_repair
from processor.closing import close_at_the_end
from processor.consumer_lag import NAME as LAG
from processor.consumer_lag import ConsumerLag
from processor.decode import Decoder
from processor.errors import (
    LoopFailedError,
    ProcessorError,
    PublishError,
    StoreUnavailableError,
)
from processor.health import Health
from processor.lag import GroupLag
from processor.loops import BeatingCalls, Loop, run_loops
from processor.metrics import StreamMetrics, WorkMetrics
from processor.operate.commands import COMMANDS
from processor.operate.terminal import command_parser, database_url
from processor.ports import CallStore
from processor.provider_calls import ProviderCalls
from processor.pulse import Pulse
from processor.reconciler import Reconciler
from processor.restart import RESTART
from processor.retention import Retention
from processor.router import GROUP, Router, consumer
from processor.sender import Sender
from processor.status_server import serve
from processor.store.patience import CONNECTING, ServingConnection
from processor.store.postgres import (
    Pool,
    PostgresCalls,
    PostgresHistory,
    PostgresRouting,
    PostgresSweeps,
)
from processor.stream import APP_ID, BROKERS, REAL_PARTS, StreamParts, create_app, wire
from processor.topics import check_topics, create_topics
from processor.watchdog import guard
from providers.port import ProviderClient, Translator
from providers.registry import clients, translators
from schemas.deadlines import check_deadlines
from schemas.settings import (
    DatabaseSettings,
    KafkaSettings,
    MetricsSettings,
    SettingsError,
    StreamSettings,
    WorkSettings,
    load,
)
from schemas.topics import PROCESSOR_SOURCES, PROVIDER_WEBHOOKS_UNROUTED

log = logging.getLogger("payments")

#: Libraries that make a log record per message below this level, which costs a tenth of the speed.
QUIET: Final = ("aiokafka", "faust", "mode", "kafka")


@dataclass(frozen=True, slots=True)
class WorkParts:
    """What makes the parts of the loops; each is called as what it stands for."""

    calls: Callable[[Pool], CallStore] = PostgresCalls
    sender: Callable[[str, str, float], Sender] = Sender
    clients: Callable[[], Mapping[str, ProviderClient]] = clients


def utc_now() -> datetime:
    """The clock of every program here."""
    return datetime.now(UTC)


def _log_to_stderr() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def _collect_less_often() -> None:
    """Looks for cycles of garbage less often, and never among what was imported.

    A batch makes many thousands of objects, hardly any of them in a cycle: looking after every 700
    of them took a sixth of the stream worker's time.
    """
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def run_migrate() -> None:
    """Applies what is missing."""
    url = database_url()
    print(f"migrations applied: {', '.join(migrations.migrate(url)) or 'none, all were'}")  # noqa: T201  # for the operator


def run_topics() -> None:
    """Creates what is missing."""
    created = asyncio.run(create_topics(load(KafkaSettings)))
    print(f"topics created: {', '.join(created) or 'none, all were there'}")  # noqa: T201  # for the operator


def run_stream(parts: StreamParts = REAL_PARTS) -> int:
    """Runs the Faust worker until SIGTERM or Ctrl-C; answers the exit code."""
    kafka, database, stream = load(KafkaSettings), load(DatabaseSettings), load(StreamSettings)
    status = load(MetricsSettings)
    asyncio.run(check_topics(kafka))
    registry, health = CollectorRegistry(), Health()
    stream.data_dir.mkdir(parents=True, exist_ok=True)
    _collect_less_often()
    app = create_app(kafka, stream)
    metrics = StreamMetrics(registry)
    activity = wire(app, kafka, database, stream, translators(), metrics, health, utc_now, parts)
    lag = GroupLag(kafka.kafka_bootstrap, APP_ID)
    guard(stream.stall_timeout_s, activity, lag, health.pulses[BROKERS].beat)
    worker = faust.Worker(app, loglevel="WARNING", override_logging=False, redirect_stdouts=False)
    serve(status.metrics_host, status.metrics_port, registry, health, worker.loop)
    tables = Path(app.conf.tabledir)
    table_repair.mend(tables)
    try:
        worker.execute_from_commandline()
    except SystemExit as end:  # how it always ends
        if end.code:
            return RESTART
    table_repair.closed(tables)
    return 0


def run_work(parts: WorkParts = WorkParts()) -> None:
    """Runs the background loops until SIGTERM or Ctrl-C."""
    asyncio.run(_work(parts))


async def _work(parts: WorkParts) -> None:
    kafka, database, settings = load(KafkaSettings), load(DatabaseSettings), load(WorkSettings)
    status, known_translators = load(MetricsSettings), translators()
    check_deadlines(settings)
    async with AsyncExitStack() as opened:
        known_clients = parts.clients()
        for name, client in known_clients.items():
            close_at_the_end(opened, name, client.close)
        await check_topics(kafka)
        registry, health = CollectorRegistry(), Health()
        running = asyncio.get_running_loop()
        serve(status.metrics_host, status.metrics_port, registry, health, running)
        metrics = WorkMetrics(registry)
        url = database.database_url.get_secret_value()
        sender = parts.sender(kafka.kafka_bootstrap, "payments-work", 30.0)
        close_at_the_end(opened, "sender", sender.close)
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
            name="work",
        )
        close_at_the_end(opened, "pool", pool.close)
        await pool.open()
        loops = _loops(
            kafka, url, pool, sender, known_clients, known_translators, settings, metrics, parts
        )
        health.pulses = {name: each.pulse for name, each in loops.items()}
        health.put(in_place=True)
        await run_loops(loops, stop, metrics)


def _loops(
    kafka: KafkaSettings,
    url: str,
    pool: Pool,
    sender: Sender,
    known_clients: Mapping[str, ProviderClient],
    known_translators: Mapping[str, Translator],
    settings: WorkSettings,
    metrics: WorkMetrics,
    parts: WorkParts,
) -> dict[str, Loop]:
    """Every loop, with the pulse it beats."""
    source = partial(consumer, kafka.kafka_bootstrap)
    jitter = random.Random()  # noqa: S311  # jitter is no secret
    names = ("provider_calls", "router", "reconciler", "retention", LAG)
    pulses = {name: Pulse() for name in names}
    calls = BeatingCalls(parts.calls(pool), pulses["provider_calls"])
    groups = {APP_ID: PROCESSOR_SOURCES, GROUP: (PROVIDER_WEBHOOKS_UNROUTED,)}
    runs = {
        "provider_calls": ProviderCalls(
            calls, sender, known_clients, settings, metrics, utc_now, jitter
        ).run,
        "router": Router(
            PostgresRouting(pool), sender, source, known_translators, settings, metrics, utc_now,
            pulses["router"],
        ).run,
        "reconciler": Reconciler(
            url, PostgresSweeps(pool), sender, known_clients, settings, metrics, utc_now,
            pulses["reconciler"],
        ).run,
        "retention": Retention(
            PostgresHistory(pool), settings, metrics, utc_now, pulses["retention"]
        ).run,
        LAG: ConsumerLag(
            kafka.kafka_bootstrap, groups, settings.lag_every_s, metrics, pulses[LAG]
        ).run,
    }  # fmt: skip
    return {name: Loop(run, pulses[name]) for name, run in runs.items()}


def run_schemas() -> None:
    """Writes the JSON Schema files from the models."""
    from schemas.generate import write_all  # noqa: PLC0415  # only this program needs it

    for path in write_all():
        print(path)  # noqa: T201  # for the operator


Programs = Mapping[str, Callable[[], int | None]]
PROGRAMS: Final[Programs] = {
    "migrate": run_migrate,
    "topics": run_topics,
    "stream": run_stream,
    "work": run_work,
    "schemas": run_schemas,
}
#: Wrong settings, a server that does not answer, a defect of ours: nothing was found out.
COULD_NOT_RUN: Final = 2
#: Those that are started anew where what they need is away.
SERVERS: Final = frozenset({"stream", "work"})
AWAY: Final = (
    KafkaError,
    psycopg.OperationalError,
    StoreUnavailableError,
    PublishError,
    ConnectionError,
    TimeoutError,
)


def main(arguments: Sequence[str] | None = None, programs: Programs = PROGRAMS) -> int:
    """Runs one program; a wrong setting or an unreachable server is one clear line.

    Answers the exit code: 0 all is well, 1 something is not as it should be, 2 it could not be run,
    75 it is to be started again.
    """
    parser = argparse.ArgumentParser(prog="payments", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("program", choices=(*programs, *COMMANDS))
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="of an operator's command")
    asked = parser.parse_args(arguments)
    chosen, command = asked.program, COMMANDS.get(asked.program)
    if command is None:  # it takes none, but can be asked what it is
        command_parser(chosen, programs[chosen].__doc__ or "").parse_args(asked.arguments)
    _log_to_stderr()
    try:
        if command is not None:
            return command(asked.arguments, lambda: Decoder(translators()).decode)
        return programs[chosen]() or 0
    except LoopFailedError:
        log.exception("work.stopped: the process starts again")
        return RESTART
    except (*AWAY, SettingsError, ProcessorError, migrations.MigrationError) as error:
        what = "Postgres: " if isinstance(error, psycopg.OperationalError) else ""
        what = "Kafka: " if isinstance(error, KafkaError) else what
        why = str(error) or type(error).__name__
        print(f"payments {chosen}: {what}{why}", file=sys.stderr)  # noqa: T201  # for the operator
        return RESTART if isinstance(error, AWAY) and chosen in SERVERS else COULD_NOT_RUN
    except Exception:
        if chosen in SERVERS:
            raise
        log.exception("payments %s: failed in an unforeseen way", chosen)
        return COULD_NOT_RUN


if __name__ == "__main__":
    sys.exit(main())
