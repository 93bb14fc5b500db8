"""The programs, and the commands that set up Kafka and Postgres. Each imports only its own code."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from cli.terminal import database_url, say
from runtime.clock import utc_now
from schemas.settings import KafkaSettings, WorkerSettings, load


def run_ingress() -> int:
    """Serves the HTTP API and receives webhooks.

    Publishes commands and webhooks to Kafka. Runs until SIGTERM or Ctrl-C.
    """
    from ingress.serve import serve

    return serve()


def run_stream() -> int:
    """Decides: reads commands, webhooks and results, writes payments, publishes their versions.

    Runs until SIGTERM or Ctrl-C. Several may run; they share the partitions.
    """
    from processor.stream.bootstrap import run_stream as run

    return run()


def run_worker() -> None:
    """Calls providers, routes webhooks without a payment ID, reconciles, deletes old history.

    Runs until SIGTERM or Ctrl-C. Several may run; they share the work.
    """
    from processor.worker.bootstrap import run_worker as run

    run()


def run_migrate() -> None:
    """Applies the missing database migrations. Run it before each deployment."""
    from postgres.migrate import migrate
    from postgres.partitions import make_between

    applied = ", ".join(migrate(database_url()))
    asyncio.run(make_between(database_url(), utc_now(), utc_now()))
    say(f"migrations applied: {applied or 'none, the database is up to date'}")


def run_topics() -> None:
    """Creates the missing Kafka topics; checks the partitions of the others, and configures them.

    Run it before each deployment, and after a change of PAYMENTS_LOG_RETENTION_S. It does not
    shorten the retention of a topic that exists, and warns of one that is longer than
    PAYMENTS_HISTORY_RETENTION_S.
    """
    from messaging.topic_admin import configure_topics, create_topics, outliving

    settings, history_retention_s = load(KafkaSettings), load(WorkerSettings).history_retention_s
    created = asyncio.run(create_topics(settings))
    say(f"topics created: {', '.join(created) or 'none, all exist'}")
    configured = asyncio.run(configure_topics(settings))
    for text in configured.changed:
        say(f"changed: {text}")
    for text in configured.kept:
        say(f"kept: {text}; to shorten it, alter the topic by hand")
    for text in asyncio.run(outliving(settings, history_retention_s)):
        say(f"warning: {text}")


Programs = Mapping[str, Callable[[], int | None]]
#: Programs that run until they are stopped. In an outage they exit with a code for a restart.
SERVERS: Final = frozenset({"ingress", "stream", "worker"})
PROGRAMS: Final[Programs] = {
    "ingress": run_ingress,
    "stream": run_stream,
    "worker": run_worker,
    "migrate": run_migrate,
    "topics": run_topics,
}
