"""The table of benchmarks. A new one needs a module with a ``run``, and a row here."""

from functools import partial
from typing import Final

from bench.load.samples import Benchmark
from bench.measured import (
    aiokafka_read,
    faust_read,
    full_store,
    idiomatic_faust,
    ingress,
    latency,
    old_payments,
    postgres_rows,
    processor,
    quix,
    recovery,
    service,
    sync_fastapi,
    trivial_asgi,
)

#: The burst's share of a turn's payments: over 20,000 webhooks in a full run, 2,000 in a quick one.
BURST_SHARE: Final = 1.3
BURST_ROUNDS: Final = 3
#: Few rounds are enough for scaling, which is a ratio within a round. A round takes minutes.
SCALE_ROUNDS: Final = 2

BENCHMARKS: Final = (
    Benchmark(
        "processor",
        "webhooks from the log to Postgres and payment-state, one worker",
        processor.run,
        compared_with=(
            "sync_fastapi",
            "idiomatic_faust",
            "quix",
            "faust_read",
            "aiokafka_read",
            "postgres_rows",
        ),
    ),
    Benchmark(
        "ingress",
        "signed webhooks over HTTP into the log, one uvicorn worker",
        ingress.run,
        compared_with=("sync_fastapi", "trivial_asgi"),
    ),
    Benchmark(
        "service",
        "ingress and processor together, from the first request to the last publishing",
        service.run,
        compared_with=("sync_fastapi",),
    ),
    Benchmark(
        "sync_fastapi",
        "the same webhooks over HTTP, each processed in one transaction before its answer",
        sync_fastapi.run,
    ),
    Benchmark(
        "idiomatic_faust",
        "the processor as in Faust's documentation: one event and one transaction at a time",
        idiomatic_faust.run,
    ),
    Benchmark(
        "quix",
        "the processor's job with quix-streams, its state, and a transaction per checkpoint",
        quix.run,
    ),
    Benchmark(
        "faust_read",
        "Faust with the processor's settings, which only reads and acknowledges",
        faust_read.run,
    ),
    Benchmark(
        "aiokafka_read",
        "a plain aiokafka consumer, which only reads and commits",
        aiokafka_read.run,
    ),
    Benchmark(
        "postgres_rows",
        "the processor's rows into Postgres: no Kafka, all decisions made before",
        postgres_rows.run,
    ),
    Benchmark(
        "trivial_asgi",
        "the load generator's ceiling: an app that reads the body and answers",
        trivial_asgi.run,
    ),
    *(
        Benchmark(
            f"latency_{percent}",
            f"from a webhook's arrival to its record in payment-state, at {percent} % of capacity",
            partial(latency.run, percent / 100),
            kind="latency",
            rounds=3,
            share=share,
        )
        for percent, share in ((10, 0.4), (50, 0.7), (80, 1.0))
    ),
    Benchmark(
        "burst",
        "20,000 webhooks as fast as the ingress accepts them, while the processor works too",
        service.burst,
        compared_with=("burst_sync",),
        kind="latency",
        rounds=BURST_ROUNDS,
        share=BURST_SHARE,
    ),
    Benchmark(
        "burst_sync",
        "sync_fastapi, given the same burst",
        sync_fastapi.run,
        kind="latency",
        rounds=BURST_ROUNDS,
        share=BURST_SHARE,
    ),
    Benchmark(
        "full_store",
        "one worker where millions of events are in store: Postgres and the dedup table",
        full_store.run,
        compared_with=("one_worker",),
        kind="scale",
        rounds=SCALE_ROUNDS,
    ),
    Benchmark(
        "old_payments",
        "one worker that gets webhooks about payments of a whole year in store",
        old_payments.run,
        compared_with=("one_worker",),
        kind="scale",
        rounds=SCALE_ROUNDS,
    ),
    Benchmark(
        "two_workers",
        "two workers on the same four partitions",
        partial(processor.shared, 2),
        compared_with=("one_worker",),
        kind="scale",
        rounds=SCALE_ROUNDS,
    ),
    Benchmark(
        "four_workers",
        "four workers on the same four partitions",
        partial(processor.shared, 4),
        compared_with=("one_worker",),
        kind="scale",
        rounds=SCALE_ROUNDS,
    ),
    Benchmark(
        "one_worker",
        "one worker that begins with empty tables",
        processor.run,
        kind="scale",
        rounds=SCALE_ROUNDS,
    ),
    Benchmark(
        "two_ingress",
        "the ingress with two uvicorn workers",
        partial(ingress.shared, 2),
        compared_with=("one_ingress",),
        kind="scale",
        rounds=SCALE_ROUNDS,
    ),
    Benchmark(
        "one_ingress",
        "the ingress with one uvicorn worker",
        ingress.run,
        kind="scale",
        rounds=SCALE_ROUNDS,
    ),
    Benchmark(
        "recovery",
        "records of the changelog that a worker with an empty disk reads before it works",
        recovery.run,
        kind="scale",
        rounds=SCALE_ROUNDS,
    ),
)
BY_NAME: Final = {benchmark.name: benchmark for benchmark in BENCHMARKS}


def chosen(names: list[str]) -> list[Benchmark]:
    """These benchmarks and those they are compared with, in order; without names, all."""
    wanted = set(names or BY_NAME)
    wanted |= {other for name in wanted for other in BY_NAME[name].compared_with}
    return [benchmark for benchmark in BENCHMARKS if benchmark.name in wanted]
