"""The service on servers that a test may kill, shared by all tests with one broker."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from postgres.migrate import migrate
from tests.outages.servers import Servers, create_every_topic, running_servers
from tests.service.stack import QUICK, Stack, running_stack

#: Short timeouts: a silent worker is soon excluded, and a stalled one soon restarts.
#: The dedup table evicts nothing.
QUICKER = {
    **QUICK,
    "PAYMENTS_DEDUP_RETENTION_S": "604800",
    "PAYMENTS_SESSION_TIMEOUT_S": "6",
    "PAYMENTS_CALL_LEASE_S": "2",
    "PAYMENTS_PUBLISH_DEADLINE_S": "10",
    "PAYMENTS_STRIPE_TIMEOUT_S": "1",
    "PAYMENTS_SIMULATOR_SETTLEMENT_DELAY_S": "0.1",
}


#: The type of pytest's ``record_property``, which writes measurements to the report.
RecordProperty = Callable[[str, object], None]


@dataclass(frozen=True)
class Site:
    """The servers, and the service on them."""

    servers: Servers
    stack: Stack
    root: Path

    @property
    def logs(self) -> Path:
        """The folder of the programs' logs."""
        return self.stack.logs


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The running service. A test must restore what it breaks."""
    root = tmp_path_factory.mktemp("outages")
    with running_servers(root) as servers:
        migrate(servers.infrastructure.database_url)
        create_every_topic(servers.infrastructure.kafka_bootstrap, copies=1)
        with running_stack(servers.infrastructure, root, quick=QUICKER) as stack:
            yield Site(servers, stack, root)
