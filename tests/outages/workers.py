"""More stream workers beside the first, each with a folder of its own."""

from dataclasses import replace

import httpx

from sandbox.supervision.ports import HOST, free_ports
from tests.service.stack import Program, Stack
from tests.support.log_lines import written


def another(stack: Stack, name: str, **told: str) -> Program:
    """A stream worker like the first, but for what it is told; not started."""
    first = stack.programs["stream"]
    (port,) = free_ports(1)
    log = first.log.with_name(f"{name}.log")
    own = {
        "PAYMENTS_METRICS_PORT": str(port),
        "PAYMENTS_DATA_DIR": str(log.with_suffix(".data")),
    }
    return replace(
        first,
        name=name,
        environment={**first.environment, **own, **told},
        ready=f"http://{HOST}:{port}/readyz",
        log=log,
        process=None,
    )


def partitions_of(worker: Program) -> list[int]:
    """The partitions it was given last, as its log says."""
    given = written(worker.log, "partitions.assigned")
    return list(given[-1]["partitions"]) if given else []


def is_ready(worker: Program) -> bool:
    """Whether it does its work; not while it starts or has ended."""
    try:
        return httpx.get(worker.ready, timeout=2.0).is_success
    except httpx.HTTPError:
        return False
