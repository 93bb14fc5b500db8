"""What the ingress counts. No label is drawn from what a client sends."""

import os
from functools import partial
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

#: prometheus_client keeps its values in this folder, where several worker processes share them.
SHARED_FOLDER_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
_LATENCY_BUCKETS: Final = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
)  # fmt: skip


class Metrics:
    """One set of metrics per application, in a registry of its own."""

    def __init__(self) -> None:
        self.registry: Final = CollectorRegistry()
        counter = partial(Counter, registry=self.registry)
        self.requests: Final = counter(
            "payments_ingress_requests",
            "Requests answered, by route, method and status.",
            ("route", "method", "status"),
        )
        self.publish_seconds: Final = Histogram(
            "payments_ingress_publish_seconds",
            "From handing a record over to the brokers' acknowledgement.",
            ("topic",),
            buckets=_LATENCY_BUCKETS,
            registry=self.registry,
        )
        self.in_flight: Final = Gauge(
            "payments_ingress_in_flight_publishes",
            "Records handed over and not acknowledged yet.",
            registry=self.registry,
            multiprocess_mode="livesum",
        )
        self.rejected_webhooks: Final = counter(
            "payments_ingress_rejected_webhooks",
            "Webhooks refused and stored nowhere, by provider and reason.",
            ("provider", "reason"),
        )
        self.unavailable: Final = counter(
            "payments_ingress_unavailable",
            "Requests answered 503, by what did not answer.",
            ("problem",),
        )
        self.replays: Final = counter(
            "payments_ingress_replays",
            "Commands recognised as accepted before, by where they were found.",
            ("found_in",),
        )
        self.lookups_skipped: Final = counter(
            "payments_ingress_lookups_skipped",
            "Idempotency look-ups given up because Postgres did not answer in time.",
        )
        self.producers_replaced: Final = counter(
            "payments_ingress_producers_replaced",
            "Kafka producers given up because they had failed or stalled.",
        )
        self.open_connections: Final = Gauge(
            "payments_ingress_open_connections",
            "Connections of clients that are open.",
            registry=self.registry,
            multiprocess_mode="livesum",
        )
        self.closed_connections: Final = counter(
            "payments_ingress_closed_connections",
            "Connections of clients that ended, by why.",
            ("reason",),
        )
        if SHARED_FOLDER_VARIABLE not in os.environ:
            ProcessCollector(registry=self.registry)

    def exposition(self) -> bytes:
        """All values in Prometheus' text format, of all worker processes."""
        if SHARED_FOLDER_VARIABLE not in os.environ:
            return generate_latest(self.registry)
        shared = CollectorRegistry()
        MultiProcessCollector(shared)  # type: ignore[no-untyped-call]  # the package leaves it untyped
        return generate_latest(shared)
