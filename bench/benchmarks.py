"""The benchmarks, as one table. A further one is a module with a ``run``, and a row here."""

from typing import Final

from bench import ingress, processor, service, sync_fastapi, trivial_asgi
from bench.samples import Benchmark

BENCHMARKS: Final = (
    Benchmark(
        "processor",
        "webhooks from the log to Postgres and payment-state, one worker",
        processor.run,
        beside=("sync_fastapi",),
    ),
    Benchmark(
        "ingress",
        "signed webhooks over HTTP into the log, one uvicorn worker",
        ingress.run,
        beside=("sync_fastapi", "trivial_asgi"),
    ),
    Benchmark(
        "service",
        "ingress and processor together, from the first request to the last publishing",
        service.run,
        beside=("sync_fastapi",),
    ),
    Benchmark(
        "sync_fastapi",
        "the same webhooks over HTTP, each processed in one transaction before its answer",
        sync_fastapi.run,
    ),
    Benchmark(
        "trivial_asgi",
        "the load generator's ceiling: an app that reads the body and answers",
        trivial_asgi.run,
    ),
)
BY_NAME: Final = {benchmark.name: benchmark for benchmark in BENCHMARKS}


def chosen(names: list[str]) -> list[Benchmark]:
    """These benchmarks and what they are compared with, in the table's order; all for no names."""
    wanted = set(names or BY_NAME)
    wanted |= {beside for name in wanted for beside in BY_NAME[name].beside}
    return [benchmark for benchmark in BENCHMARKS if benchmark.name in wanted]
