"""The metrics of the ingress. No label value comes from a client."""

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

#: The folder in which prometheus_client shares values between worker processes.
SHARED_FOLDER_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
_LATENCY_BUCKETS: Final = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
)  # fmt: skip


class FollowingMetrics:
    """The metrics of what is known by following topics."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.lookups: Final = Counter(
            "payments_ingress_log_lookups",
            "Payments and operations that Postgres did not have, by what the log says of them: "
            "found, absent, or unknown.",
            ("result",),
            registry=registry,
        )
        self.waiting: Final = Gauge(
            "payments_ingress_waiting_requests",
            "Requests that wait for a decision.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self.waits: Final = Counter(
            "payments_ingress_waits",
            "Requests that asked to wait, by how that ended: decided, not_decided, left (the "
            "client), or not_waited.",
            ("end",),
            registry=registry,
        )


class Metrics:
    """The metrics of one application, in their own registry."""

    def __init__(self) -> None:
        self.registry: Final = CollectorRegistry()
        counter = partial(Counter, registry=self.registry)
        gauge = partial(Gauge, registry=self.registry, multiprocess_mode="livesum")
        self.requests: Final = counter(
            "payments_ingress_requests",
            "Requests answered, by route, method and status.",
            ("route", "method", "status"),
        )
        self.publish_seconds: Final = Histogram(
            "payments_ingress_publish_seconds",
            "Seconds from sending a record to the brokers' acknowledgement, by topic.",
            ("topic",),
            buckets=_LATENCY_BUCKETS,
            registry=self.registry,
        )
        self.in_flight: Final = gauge(
            "payments_ingress_in_flight_publishes",
            "Records sent and not yet acknowledged.",
        )
        self.rejected_webhooks: Final = counter(
            "payments_ingress_rejected_webhooks",
            "Refused webhooks, which are not stored, by provider and reason.",
            ("provider", "reason"),
        )
        self.unreadable_webhooks: Final = counter(
            "payments_ingress_unreadable_webhooks",
            "Signed webhooks that are no event as we know them, by provider: they are kept.",
            ("provider",),
        )
        self.unavailable: Final = counter(
            "payments_ingress_unavailable",
            "Requests answered 503, by problem type.",
            ("problem",),
        )
        self.replays: Final = counter(
            "payments_ingress_replays",
            "Retries of accepted commands, by where the first was found: memory or store.",
            ("found_in",),
        )
        self.lookups_skipped: Final = counter(
            "payments_ingress_lookups_skipped",
            "Idempotency look-ups skipped because Postgres did not answer in time.",
        )
        self.producers_replaced: Final = counter(
            "payments_ingress_producers_replaced",
            "Kafka producers replaced because they failed or stalled.",
        )
        self.open_connections: Final = gauge(
            "payments_ingress_open_connections",
            "Open client connections.",
        )
        self.closed_connections: Final = counter(
            "payments_ingress_closed_connections",
            "Closed client connections, by reason.",
            ("reason",),
        )
        self.following: Final = FollowingMetrics(self.registry)
        if SHARED_FOLDER_VARIABLE not in os.environ:
            ProcessCollector(registry=self.registry)

    def exposition(self) -> bytes:
        """Returns the values of all worker processes, in Prometheus' text format."""
        if SHARED_FOLDER_VARIABLE not in os.environ:
            return generate_latest(self.registry)
        shared = CollectorRegistry()
        MultiProcessCollector(shared)  # type: ignore[no-untyped-call]  # the package leaves it untyped
        return generate_latest(shared)
