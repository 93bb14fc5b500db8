"""The programs, and what sets the servers up. Each loads only what it runs."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from cli.terminal import database_url, say
from schemas.settings import KafkaSettings, load


def run_ingress() -> int:
    """Serves the HTTP API and takes webhooks in, until SIGTERM or Ctrl-C."""
    from ingress.serve import serve

    return serve()


def run_stream() -> int:
    """The Faust worker: commands, webhooks and results in, versions of payments out."""
    from processor.stream.bootstrap import run_stream as run

    return run()


def run_worker() -> None:
    """Provider calls, router, reconciler, retention."""
    from processor.worker.bootstrap import run_worker as run

    run()


def run_migrate() -> None:
    """Applies the migrations that are missing."""
    from postgres.migrate import migrate

    say(f"migrations applied: {', '.join(migrate(database_url())) or 'none, all were'}")


def run_topics() -> None:
    """Creates the topics that are missing, and checks the others."""
    from messaging.topic_admin import create_topics

    created = asyncio.run(create_topics(load(KafkaSettings)))
    say(f"topics created: {', '.join(created) or 'none, all were there'}")


Programs = Mapping[str, Callable[[], int | None]]
#: Those that run until they are stopped, and are started again where what they need is away.
SERVERS: Final = frozenset({"ingress", "stream", "worker"})
PROGRAMS: Final[Programs] = {
    "ingress": run_ingress,
    "stream": run_stream,
    "worker": run_worker,
    "migrate": run_migrate,
    "topics": run_topics,
}
