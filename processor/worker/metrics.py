"""The worker's Prometheus metrics."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from runtime.metrics import SECONDS, foreign_events


class WorkerMetrics:
    """The metrics of the dispatcher, the router, the reconciler, retention and consumer lag."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.calls = Counter(
            "payments_provider_calls_total",
            "Provider calls, by outcome.",
            ["provider", "operation", "outcome"],
            registry=registry,
        )
        self.call_seconds = Histogram(
            "payments_provider_call_duration_seconds",
            "Duration of a provider call, with its look-up if there was one.",
            ["provider", "operation"],
            buckets=SECONDS,
            registry=registry,
        )
        self.breaker_open = Gauge(
            "payments_circuit_breaker_open",
            "1 while the provider's circuit breaker is open and its calls wait.",
            ["provider"],
            registry=registry,
        )
        self.reconciled = Counter(
            "payments_reconciled_events_total",
            "Events that the reconciler fetched: from the event list, or by looking up an object.",
            ["provider", "source"],
            registry=registry,
        )
        self.ignored = Counter(
            "payments_ignored_webhooks_total",
            "Webhooks about no known payment and without an effect on any.",
            ["provider", "kind"],
            registry=registry,
        )
        self.foreign = foreign_events("payments_foreign_webhooks_total", registry)
        self.dead_letters = Counter(
            "payments_dead_letters_total", "Records sent to dead-letters.", registry=registry
        )
        self.backlog_oldest_age = Gauge(
            "payments_backlog_oldest_age_seconds",
            "Age of the oldest row that waits, by kind. 0: none waits.",
            ["kind"],
            registry=registry,
        )
        self.backlog = Gauge(
            "payments_backlog_rows", "Rows that wait, by kind.", ["kind"], registry=registry
        )
        self.consumer_lag = Gauge(
            "payments_consumer_lag_records",
            "Records that a consumer group has not acknowledged. Absent if it can't be measured.",
            ["group", "topic", "partition"],
            registry=registry,
        )
        self.history_deleted = Counter(
            "payments_history_deleted_rows_total",
            "Rows about old inputs that were deleted after the retention period.",
            ["table"],
            registry=registry,
        )
        self.parked_expired = Counter(
            "payments_parked_expired_total",
            "Parked inputs that expired because their payment never arrived.",
            registry=registry,
        )
        self.loop_errors = Counter(
            "payments_worker_errors_total",
            "Failed rounds, sweeps and calls, by loop or sweep.",
            ["loop"],
            registry=registry,
        )
