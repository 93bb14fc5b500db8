"""The service's processes under a test's control: start, kill, wait until ready."""

import asyncio
import base64
import secrets
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import httpx

from messaging.topic_admin import create_topics
from postgres.migrate import migrate
from sandbox import environment
from sandbox.settings import SandboxSettings
from sandbox.state import StateFolder
from sandbox.supervision.ports import HOST, free_ports
from sandbox.supervision.processes import Command
from sandbox.testing import Infrastructure, running_infrastructure
from sandbox.topology import PROJECT
from schemas.settings import KafkaSettings
from tests import accounts
from tests.conftest import PARTITIONS
from tests.support.managed_process import ManagedProcess

READY_WITHIN_S = 60.0


@dataclass
class Program(ManagedProcess):
    """One process of the service.

    Args:
        ready: the URL that returns 200 while the program does its work.
    """

    ready: str

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables of the command."""
        return self.command.environment

    def wait_until_ready(self) -> None:
        """Waits until it is ready. Fails if it ends or takes too long."""
        deadline = time.monotonic() + READY_WITHIN_S
        while time.monotonic() < deadline:
            assert self.is_running, f"{self.name} died:\n{self.log.read_text()[-4000:]}"
            try:
                if httpx.get(self.ready, timeout=2.0).is_success:
                    return
            except httpx.HTTPError:
                pass  # it does not listen yet
            time.sleep(0.05)  # polling interval
        raise AssertionError(f"{self.name} is not ready:\n{self.log.read_text()[-4000:]}")


@dataclass
class Stack:
    """Kafka, Postgres, the simulator and the service."""

    infrastructure: Infrastructure
    environment: dict[str, str]
    programs: dict[str, Program] = field(default_factory=dict)

    @property
    def logs(self) -> Path:
        """The folder of the programs' logs."""
        return next(iter(self.programs.values())).logs

    def metric(self, program: str, name: str) -> float:
        """The sum of one metric's samples, as the program serves it."""
        url = self.programs[program].ready.replace("/readyz", "/metrics")
        lines = httpx.get(url).text.splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))

    @property
    def url(self) -> str:
        """The URL of the ingress."""
        return self.environment["PAYMENTS_INGRESS_URL"]

    @property
    def api_key(self) -> str:
        """The tenant's key."""
        return self.environment["PAYMENTS_SANDBOX_API_KEY"]

    @property
    def webhook_secret(self) -> str:
        """The secret of Stripe's signatures."""
        return self.environment["PAYMENTS_STRIPE_WEBHOOK_SECRETS"]

    @property
    def simulator_url(self) -> str:
        """The URL of the simulator."""
        return self.environment["PAYMENTS_STRIPE_API_BASE"]

    @property
    def second_simulator_url(self) -> str:
        """The URL of the second provider's simulator."""
        return self.environment["PAYMENTS_EXAMPLEPAY_API_BASE"]


#: Name, arguments of ``python -m``, path of the readiness check, variable of the port. The second
#: provider's simulator takes its port from its API's URL.
Row = tuple[str, tuple[str, ...], str, str | None]
PROGRAMS: tuple[Row, ...] = (
    ("simulator", ("sandbox.stripe_simulator",), "/_control/stats", "PAYMENTS_SIMULATOR_PORT"),
    ("second", ("sandbox.examplepay_simulator",), "/_control/objects", None),
    ("ingress", ("cli", "ingress"), "/readyz", "PAYMENTS_INGRESS_PORT"),
    ("stream", ("cli", "stream"), "/readyz", "PAYMENTS_METRICS_PORT"),
    ("worker", ("cli", "worker"), "/readyz", "PAYMENTS_METRICS_PORT"),
)

#: Returns further variables of all programs, from the variables that the service has anyway.
Given = Callable[[Mapping[str, str]], Mapping[str, str]]

#: Shorter times than in production, so that tests wait less.
QUICK = {
    "PAYMENTS_SESSION_TIMEOUT_S": "6",
    "PAYMENTS_CALL_BACKOFF_BASE_S": "0.1",
    "PAYMENTS_CALL_BACKOFF_MAX_S": "2",
    "PAYMENTS_CALL_LEASE_S": "5",
    "PAYMENTS_STRIPE_TIMEOUT_S": "3",
    "PAYMENTS_EVENT_LIST_EVERY_S": "1",
    "PAYMENTS_OBJECTS_EVERY_S": "1",
    "PAYMENTS_EXPIRY_EVERY_S": "1",
    "PAYMENTS_UNFINISHED_AFTER_S": "5",
    "PAYMENTS_STALL_TIMEOUT_S": "20",
    "PAYMENTS_RECONCILE_PER_S": "500",
    "PAYMENTS_BREAKER_OPEN_S": "0.5",
    # so short that the table finds some duplicates, and only Postgres finds the others
    "PAYMENTS_DEDUP_RETENTION_S": "2",
}


def _second_provider(port: int) -> dict[str, str]:
    """The service's variables for the second provider, at this port."""
    key = base64.b64encode(secrets.token_bytes(32)).decode()
    return {
        "PAYMENTS_EXAMPLEPAY_API_BASE": f"http://{HOST}:{port}",
        "PAYMENTS_EXAMPLEPAY_API_KEY": secrets.token_urlsafe(32),
        "PAYMENTS_EXAMPLEPAY_WEBHOOK_SECRETS": f"whsec_{key}",
        "PAYMENTS_EXAMPLEPAY_ACCOUNT": accounts.EXAMPLEPAY.name,
        "PAYMENTS_EXAMPLEPAY_LIVEMODE": str(accounts.EXAMPLEPAY.is_live),
        "PAYMENTS_EXAMPLEPAY_REQUESTS_PER_S": environment.SIMULATOR_PER_S,
    }


@contextmanager
def running_stack(
    infrastructure: Infrastructure,
    root: Path,
    programs: Sequence[Row] = PROGRAMS,
    quick: Mapping[str, str] = QUICK,
    given: Given = lambda _: {},
    own_variables: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
) -> Iterator[Stack]:
    """The whole service, ready; everything is stopped at the end.

    ``own_variables`` are those of single programs, by the program's name.
    """
    ports = free_ports(len(programs))
    by_name = dict(zip((name for name, *_ in programs), ports, strict=True))
    settings = SandboxSettings(
        directory=root, simulator_port=by_name["simulator"], ingress_port=by_name["ingress"]
    )
    own = environment.make_secrets()
    shared = environment.compose(
        settings,
        own,
        kafka_bootstrap=infrastructure.kafka_bootstrap,
        database_url=infrastructure.database_url,
        given={},
    )
    shared |= _second_provider(by_name["second"])
    simulator = environment.simulator_environment(settings, own, StateFolder(root))
    stack = Stack(infrastructure, shared)
    for name, arguments, path, port_variable in programs:
        variables = {**(simulator if name == "simulator" else {}), **shared, **quick}
        variables |= {**given(shared), "PAYMENTS_DATA_DIR": str(root / "data")}
        variables |= own_variables.get(name, {})
        if port_variable is not None:
            variables[port_variable] = str(by_name[name])
        ready = f"http://{HOST}:{by_name[name]}{path}"
        command = Command(
            name, (sys.executable, "-m", *arguments), environment=variables, folder=PROJECT
        )
        stack.programs[name] = Program(command, root, ready)
    try:
        for program in stack.programs.values():
            program.start()
        for program in stack.programs.values():
            program.wait_until_ready()
        yield stack
    finally:
        for program in reversed(stack.programs.values()):
            program.stop()


@contextmanager
def running_service(
    root: Path,
    programs: Sequence[Row] = PROGRAMS,
    quick: Mapping[str, str] = QUICK,
    given: Given = lambda _: {},
    own_variables: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
) -> Iterator[Stack]:
    """The whole service on its own Kafka and Postgres, whose log has no other records."""
    with running_infrastructure(root) as infrastructure:
        migrate(infrastructure.database_url)
        kafka = KafkaSettings(
            kafka_bootstrap=infrastructure.kafka_bootstrap,
            partitions=PARTITIONS,
            replication_factor=1,
        )
        asyncio.run(create_topics(kafka))
        with running_stack(infrastructure, root, programs, quick, given, own_variables) as running:
            yield running
