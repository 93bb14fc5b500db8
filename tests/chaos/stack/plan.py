"""The ports and the environment of every program; this module starts nothing."""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Final, Self

from sandbox import environment
from sandbox.environment import Secrets
from sandbox.servers import kafka, postgres
from sandbox.servers.java import Java
from sandbox.servers.kafka import Broker
from sandbox.servers.postgres import Server
from sandbox.settings import SandboxSettings
from sandbox.state import StateFolder
from sandbox.supervision.ports import HOST, free_ports
from sandbox.supervision.processes import Command
from sandbox.supervision.readiness import Condition, answers_http
from sandbox.testing import Infrastructure
from sandbox.topology import PROJECT
from tests.chaos.stack import second_account
from tests.chaos.stack.gateway import PATH
from tests.chaos.stack.topology import (
    BROKERS,
    GATEWAY,
    GROUPS,
    INGRESSES,
    LINKS,
    POSTGRES,
    PROGRAMS,
    PROVIDER,
    SIMULATOR,
    TOXIPROXY,
)
from tests.conftest import PARTITIONS
from tests.faults.failpoints import VARIABLE
from tests.service.stack import QUICK

#: The session timeout: a worker that is silent for longer is excluded from its group.
SESSION_S: Final = 6.0
ENVIRONMENT: Final[Mapping[str, str]] = {
    **QUICK,
    "PAYMENTS_SESSION_TIMEOUT_S": str(SESSION_S),
    "PAYMENTS_PUBLISH_DEADLINE_S": "10",
    "PAYMENTS_REPLICATION_FACTOR": "3",
    "PAYMENTS_PARTITIONS": str(PARTITIONS),
}
HEAP: Final = "320m"


def _controller(broker: str) -> str:
    return f"controller of {broker}"


def _listener(broker: str, group: str) -> str:
    return f"{broker} for {group}"


def url(port: int) -> str:
    """The URL of a program on this port."""
    return f"http://{HOST}:{port}"


@dataclass(frozen=True)
class Plan:
    """One run's layout.

    Args:
        folder: for all data and logs.
        ports: by the name of a program or a link.
        own: keys and secrets.
    """

    folder: Path
    ports: Mapping[str, int]
    own: Secrets

    @classmethod
    def new(cls, folder: Path) -> Self:
        """A plan with free ports."""
        names = [TOXIPROXY, GATEWAY, SIMULATOR, POSTGRES, *BROKERS, *PROGRAMS]
        names += [link.name for link in LINKS]
        names += [_controller(broker) for broker in BROKERS]
        names += [_listener(broker, group) for broker in BROKERS for group in GROUPS]
        ports = dict(zip(names, free_ports(len(names)), strict=True))
        return cls(folder, ports, environment.make_secrets())

    @property
    def logs(self) -> Path:
        """One log per program."""
        return self.folder / "logs"

    @cached_property
    def traps(self) -> Path:
        """The folder in which a stream worker looks for its failpoints' actions."""
        folder = self.folder / "traps"
        folder.mkdir(exist_ok=True)
        return folder

    @cached_property
    def server(self) -> Server:
        """Postgres; this creates its folder and password."""
        made = postgres.server(self.folder / "postgres", self.ports[POSTGRES])
        made.make_folder()
        return made

    @property
    def infrastructure(self) -> Infrastructure:
        """Brokers and Postgres, bypassing all links."""
        bootstrap = ",".join(f"{HOST}:{self.ports[broker]}" for broker in BROKERS)
        return Infrastructure(bootstrap, self.server.url())

    def brokers(self, java: Java) -> tuple[Broker, ...]:
        """The brokers. Each advertises its link to a group's clients, and its port to brokers."""
        ports = self.ports
        cluster = kafka.cluster(
            self.folder / "kafka",
            [ports[broker] for broker in BROKERS],
            [ports[_controller(broker)] for broker in BROKERS],
            java.with_heap(HEAP),
        )
        return tuple(
            replace(each, extra_listeners={
                group.upper(): (ports[_listener(each.name, group)], ports[f"{group}-{each.name}"])
                for group in GROUPS
            })
            for each in cluster
        )  # fmt: skip

    def link_targets(self) -> dict[str, int]:
        """Each link's target port."""
        extra_listeners = {
            f"{group}-{broker}": self.ports[_listener(broker, group)]
            for group in GROUPS
            for broker in BROKERS
        }
        return {link.name: self.ports[link.target] for link in LINKS} | extra_listeners

    def environment(self, group: str | None = None) -> dict[str, str]:
        """The variables of a group's programs; without a group, addresses that bypass all links."""
        ports, here = self.ports, self.infrastructure
        bootstrap, server, provider = here.kafka_bootstrap, self.server, SIMULATOR
        if group is not None:
            bootstrap = ",".join(f"{HOST}:{ports[f'{group}-{broker}']}" for broker in BROKERS)
            server, provider = replace(server, port=ports[f"{group}-{POSTGRES}"]), PROVIDER
        settings = SandboxSettings(
            directory=self.folder, simulator_port=ports[provider], ingress_port=ports[INGRESSES[0]]
        )
        composed = environment.compose(
            settings, self.own, kafka_bootstrap=bootstrap, database_url=server.url(), given={}
        )
        return {**composed, **ENVIRONMENT, **second_account.service_variables(self.folder)}

    def simulator(self) -> tuple[Command, Condition]:
        """The provider; its webhooks go to the gateway."""
        port = self.ports[SIMULATOR]
        settings = SandboxSettings(directory=self.folder, simulator_port=port)
        variables = {
            **environment.simulator_environment(settings, self.own, StateFolder(self.folder)),
            "PAYMENTS_SIMULATOR_WEBHOOK_URL": url(self.ports[GATEWAY]) + PATH,
            "PAYMENTS_SIMULATOR_SETTLEMENT_DELAY_S": "0.3",
            **second_account.simulator_variables(url(self.ports[GATEWAY])),
        }
        command = _python(SIMULATOR, ("sandbox.stripe_simulator",), variables)
        return command, answers_http(url(port) + "/_control/stats")

    def programs(
        self, modules: Mapping[str, tuple[str, ...]], more: Mapping[str, str]
    ) -> Iterator[tuple[Command, Condition]]:
        """The service's processes and their readiness conditions.

        Args:
            modules: the arguments of ``python -m`` by the first part of a program's name.
            more: variables for all of them.
        """
        for group, names in GROUPS.items():
            for name in names:
                program, port = name.partition("-")[0], self.ports[name]
                own = {
                    **self.environment(group),
                    **more,
                    "PAYMENTS_METRICS_PORT": str(port),
                    "PAYMENTS_INGRESS_PORT": str(port),
                    "PAYMENTS_DATA_DIR": str(self.folder / name),
                    VARIABLE: str(self.traps),
                }
                yield _python(name, modules[program], own), answers_http(url(port) + "/readyz")


def _python(name: str, arguments: tuple[str, ...], environment: Mapping[str, str]) -> Command:
    return Command(name, (sys.executable, "-m", *arguments), environment, PROJECT)
