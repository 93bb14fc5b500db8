"""What the worker counts and measures, in one place."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from runtime.metrics import SECONDS, foreign_events


class WorkerMetrics:
    """The metrics of provider calls, router and reconciler."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.calls = Counter(
            "payments_provider_calls_total",
            "Provider calls by what they came to.",
            ["provider", "operation", "outcome"],
            registry=registry,
        )
        self.call_seconds = Histogram(
            "payments_provider_call_seconds",
            "Time of one provider call.",
            ["provider", "operation"],
            buckets=SECONDS,
            registry=registry,
        )
        self.breaker_open = Gauge(
            "payments_breaker_open", "1 while calls wait.", ["provider"], registry=registry
        )
        self.fetched = Counter(
            "payments_fetched_total",
            "Events fetched from the provider.",
            ["provider", "how"],
            registry=registry,
        )
        self.ignored = Counter(
            "payments_ignored_webhooks_total",
            "Webhooks about no payment of ours that could have no effect on one.",
            ["provider", "kind"],
            registry=registry,
        )
        self.foreign = foreign_events("payments_foreign_webhooks_total", registry)
        self.dead_letters = Counter(
            "payments_dead_letters_total", "Records nobody could decode.", registry=registry
        )
        self.oldest = Gauge(
            "payments_oldest_seconds",
            "Age of the oldest of its kind: unfinished payment, parked event, unpublished version.",
            ["what"],
            registry=registry,
        )
        self.waiting = Gauge(
            "payments_waiting", "Rows waiting, by kind.", ["what"], registry=registry
        )
        self.consumer_lag = Gauge(
            "payments_consumer_lag",
            "Records that a consumer group has not acknowledged; absent while not measured.",
            ["group", "topic", "partition"],
            registry=registry,
        )
        self.history_forgotten = Counter(
            "payments_history_forgotten_total",
            "Rows about old inputs that were deleted after the retention.",
            ["table"],
            registry=registry,
        )
        self.parked_given_up = Counter(
            "payments_parked_given_up_total",
            "Parked inputs that were ended because their payment never came.",
            registry=registry,
        )
        self.loop_errors = Counter(
            "payments_worker_errors_total", "Rounds that failed.", ["loop"], registry=registry
        )
