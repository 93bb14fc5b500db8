"""Further stream workers, each with its own folder."""

from dataclasses import replace

import httpx

from sandbox.supervision.ports import HOST, free_ports
from tests.service.stack import Program, Stack
from tests.support.log_lines import written


def additional_worker(stack: Stack, name: str, **variables: str) -> Program:
    """A stream worker like the first, with these variables in addition; not started."""
    first = stack.programs["stream"]
    (port,) = free_ports(1)
    own = {
        "PAYMENTS_METRICS_PORT": str(port),
        "PAYMENTS_DATA_DIR": str(first.logs / f"{name}.data"),
    }
    environment = {**first.environment, **own, **variables}
    command = replace(first.command, name=name, environment=environment)
    return Program(command, first.logs, f"http://{HOST}:{port}/readyz")


def partitions_of(worker: Program) -> list[int]:
    """The last assigned partitions, from the worker's log."""
    given = written(worker.log, "partitions.assigned")
    return list(given[-1]["partitions"]) if given else []


def is_ready(worker: Program) -> bool:
    """Whether the worker is running and ready."""
    try:
        return httpx.get(worker.ready, timeout=2.0).is_success
    except httpx.HTTPError:
        return False
