"""One session of the sandbox: start everything, use it, stop everything."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from rich.console import Console

from sandbox import environment, topology
from sandbox.display import Display, DownloadBar
from sandbox.servers import kafka, postgres
from sandbox.servers.java import Java
from sandbox.settings import SandboxSettings
from sandbox.state import StateFolder
from sandbox.supervision.ports import require_free
from sandbox.supervision.supervisor import Job, Step, Supervisor

Scenario = Callable[[Mapping[str, str], Console], Awaitable[bool]]
"""Runs payments through the running service; returns whether each ended as expected."""

INFRASTRUCTURE: Final = topology.SIMULATOR
EVERYTHING: Final = (*topology.SIMULATOR, *topology.SERVICE)


@dataclass(frozen=True)
class Session:
    """What to run, and where.

    Args:
        settings: ports and folder.
        console: the user's terminal.
        rows: the programs to run in addition to Kafka and PostgreSQL.
        scenario: runs once all programs are ready; None runs nothing.
        serve: keep running afterwards, until cancelled.
    """

    settings: SandboxSettings
    console: Console
    rows: tuple[topology.Row, ...]
    scenario: Scenario | None
    serve: bool

    async def run(self) -> bool:
        """Run the session; return whether the scenario, if any, ended as expected.

        Raises:
            SandboxError: something could not be started, or died.
        """
        started = time.monotonic()
        state = StateFolder(self.settings.directory.resolve())
        with state.locked():
            require_free(self.settings.ports())
            display = Display(self.console)
            java = await self._install(display)
            steps, variables = self._plan(state, java)
            environment.write_environment(state.environment, variables)
            async with Supervisor(state.logs, display.observe) as supervisor:
                await supervisor.start(steps)
                self._print(f"everything is up after {time.monotonic() - started:.1f} s")
                good = await self._play(variables, supervisor)
                if self.serve:
                    self._print_addresses(variables, state)
                    await supervisor.watch()
                return good

    async def _install(self, display: Display) -> Java:
        with DownloadBar(self.console, "downloading Apache Kafka, once") as bar:
            java = await kafka.fetch(bar.advance)
        if not java.cache.exists():
            once = Job("kafka cache", partial(kafka.record, java))
            async with Supervisor(java.cache.parent, display.observe) as supervisor:
                await supervisor.start([once])
        return java

    def _plan(self, state: StateFolder, java: Java) -> tuple[tuple[Step, ...], dict[str, str]]:
        settings = self.settings
        brokers = kafka.cluster(
            state.kafka,
            [settings.kafka_port],
            [settings.kafka_controller_port],
            java.with_heap(settings.kafka_heap),
        )
        database = postgres.server(state.postgres, settings.postgres_port)
        database.make_folder()
        own = environment.keep_secrets(state.secrets)
        variables = environment.compose(
            settings,
            own,
            kafka_bootstrap=kafka.bootstrap(brokers),
            database_url=database.url(),
            given=os.environ,
        )
        rows = topology.build(
            self.rows,
            settings.model_dump(),
            variables,
            {
                "simulator": environment.simulator_environment(settings, own, state),
                "stream": {"PAYMENTS_DATA_DIR": str(state.stream)},
            },
            state.logs,
        )
        steps = (*kafka.steps(brokers, state.logs), *postgres.steps(database, state.logs), *rows)
        return steps, variables

    async def _play(self, variables: Mapping[str, str], supervisor: Supervisor) -> bool:
        """Run the scenario, unless a program dies first."""
        if self.scenario is None:
            return True
        playing = asyncio.ensure_future(self.scenario(variables, self.console))
        watching = asyncio.ensure_future(supervisor.watch())
        try:
            await asyncio.wait([playing, watching], return_when=asyncio.FIRST_COMPLETED)
            if watching.done():
                watching.result()
            return playing.result()
        finally:
            playing.cancel()
            watching.cancel()
            await asyncio.gather(playing, watching, return_exceptions=True)

    def _print_addresses(self, variables: Mapping[str, str], state: StateFolder) -> None:
        ports = self.settings
        addresses = {
            "HTTP API": f"{variables['PAYMENTS_INGRESS_URL']}  (documentation under /docs)",
            "Stripe simulator": variables["PAYMENTS_STRIPE_API_BASE"],
            "Kafka": variables["PAYMENTS_KAFKA_BOOTSTRAP"],
            "PostgreSQL": f"port {ports.postgres_port} (the URL is in {state.environment})",
            "metrics": f"/metrics on {ports.stream_metrics_port} and {ports.worker_metrics_port}",
            "logs": str(state.logs),
            "environment": f"{state.environment}  (set -a; . {state.environment}; set +a)",
        }
        for name, address in addresses.items():
            self._print(f"{name:<17} {address}")
        self._print("Ctrl-C stops everything; the data is kept until make reset")

    def _print(self, line: str) -> None:
        self.console.print(line, highlight=False, markup=False, soft_wrap=True)
