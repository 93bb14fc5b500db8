"""The servers of a run: one real Kafka and one real Postgres."""

import asyncio
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from psycopg.conninfo import make_conninfo

from messaging.topic_admin import create_topics
from postgres.migrate import migrate
from postgres.partitions import make_between
from sandbox import environment
from sandbox.settings import SandboxSettings
from sandbox.supervision.ports import free_ports
from sandbox.testing import Infrastructure, running_infrastructure
from schemas.settings import KafkaSettings

PARTITIONS: Final = 4


@dataclass(frozen=True)
class Site:
    """The servers, and the environment of the programs that use them.

    Args:
        kafka_bootstrap: `host:port` of the broker.
        database_url: a libpq URL, password included.
        webhook_secret: the secret of the webhooks' signatures.
        root: a folder for data and logs, removed after the run.
        environment: the variables of the service's programs, except their own ports.
    """

    kafka_bootstrap: str
    database_url: str
    webhook_secret: str
    root: Path
    environment: Mapping[str, str]

    @property
    def logs(self) -> Path:
        """One log per program."""
        return self.root / "logs"

    def with_database(self, name: str) -> "Site":
        """The site with another database of the same server."""
        url = make_conninfo(self.database_url, dbname=name)
        variables = {**self.environment, "PAYMENTS_DATABASE_URL": url}
        return replace(self, database_url=url, environment=variables)


@contextmanager
def opened() -> Iterator[Site]:
    """Starts both servers with empty topics and tables, and stops them.

    Call it outside of any event loop. Raises SandboxError.
    """
    with tempfile.TemporaryDirectory(prefix="payments-bench-") as folder:
        root = Path(folder)
        with running_infrastructure(root) as found:
            migrate(found.database_url)
            asyncio.run(make_between(found.database_url, datetime.now(UTC), datetime.now(UTC)))
            kafka = KafkaSettings(
                kafka_bootstrap=found.kafka_bootstrap, partitions=PARTITIONS, replication_factor=1
            )
            asyncio.run(create_topics(kafka))
            yield at(found, root)


def at(found: Infrastructure, root: Path) -> Site:
    """The site on these servers, whose topics and tables exist; ``root`` is its folder."""
    own = environment.make_secrets()
    variables = environment.compose(
        SandboxSettings(directory=root, ingress_port=free_ports(1)[0]),
        own,
        kafka_bootstrap=found.kafka_bootstrap,
        database_url=found.database_url,
        given={"PAYMENTS_PARTITIONS": str(PARTITIONS)},
    )
    return Site(
        found.kafka_bootstrap, found.database_url, own.stripe_webhook_secret, root, variables
    )
