"""The sandbox's programs as one table: what each needs, and when it is ready."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sandbox.supervision.ports import HOST
from sandbox.supervision.processes import Command
from sandbox.supervision.readiness import answers_http
from sandbox.supervision.supervisor import Program, Step, command_job

PROJECT: Final = Path(__file__).parents[1]


@dataclass(frozen=True)
class Row:
    """One program.

    Args:
        name: names the step and its log.
        arguments: of ``python -m``.
        needs: the steps that must be complete before.
        ready: a path that returns 200 once the program is ready; None for a command that ends.
        port: the setting with the port that serves ``ready``.
        own_port: the program's variable for this port.
        restart_code: the exit code by which the program requests a restart.
    """

    name: str
    arguments: tuple[str, ...]
    needs: tuple[str, ...] = ()
    ready: str | None = None
    port: str | None = None
    own_port: str | None = None
    restart_code: int | None = None


SIMULATOR: Final = (
    Row(
        "simulator",
        ("sandbox.stripe_simulator",),
        ready="/_control/stats",
        port="simulator_port",
        own_port="PAYMENTS_SIMULATOR_PORT",
    ),
)
SERVICE: Final = (
    Row("migrate", ("cli", "migrate"), needs=("postgres",)),
    Row("topics", ("cli", "topics"), needs=("kafka",)),
    Row(
        "ingress",
        ("cli", "ingress"),
        needs=("topics",),
        ready="/readyz",
        port="ingress_port",
        own_port="PAYMENTS_INGRESS_PORT",
    ),
    Row(
        "stream",
        ("cli", "stream"),
        needs=("migrate", "topics"),
        ready="/readyz",
        port="stream_metrics_port",
        own_port="PAYMENTS_METRICS_PORT",
        restart_code=os.EX_TEMPFAIL,
    ),
    Row(
        "worker",
        ("cli", "worker"),
        needs=("migrate", "topics", "simulator"),
        ready="/readyz",
        port="worker_metrics_port",
        own_port="PAYMENTS_METRICS_PORT",
        restart_code=os.EX_TEMPFAIL,
    ),
)


def build(
    rows: tuple[Row, ...],
    ports: Mapping[str, int],
    environment: Mapping[str, str],
    own: Mapping[str, Mapping[str, str]],
    logs: Path,
) -> tuple[Step, ...]:
    """Turn rows into steps.

    Args:
        rows: lines of the table.
        ports: each port by the name of its setting.
        environment: the variables of every program.
        own: further variables of one program, by its name.
        logs: the folder of the programs' logs.
    """
    steps: list[Step] = []
    for row in rows:
        variables = {**environment, **own.get(row.name, {})}
        if row.port is not None and row.own_port is not None:
            variables[row.own_port] = str(ports[row.port])
        command = Command(
            row.name, (sys.executable, "-m", *row.arguments), environment=variables, folder=PROJECT
        )
        if row.ready is None or row.port is None:
            steps.append(command_job(command, logs, needs=row.needs))
        else:
            ready = answers_http(f"http://{HOST}:{ports[row.port]}{row.ready}")
            steps.append(
                Program(
                    command,
                    ready,
                    ready_within=60.0,
                    needs=row.needs,
                    restart_code=row.restart_code,
                )
            )
    return tuple(steps)
