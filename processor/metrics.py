"""What the processor counts and measures, in one place."""

from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from processor.domain.inputs import Foreign, Unmodelled
from processor.domain.status import Outcome
from processor.plan import Plan

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_RECORDS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)


class StreamMetrics:
    """The stream's metrics, on a registry of its own."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.outcomes = Counter(
            "payments_inputs_total", "Inputs by outcome.", ["outcome", "kind"], registry=registry
        )
        self.unknown_statuses = Counter(
            "payments_unknown_status_total",
            "Events whose status nobody here knows; the state was kept.",
            ["provider", "kind"],
            registry=registry,
        )
        self.foreign = _foreign("payments_foreign_events_total", registry)
        self.dead_letters = Counter(
            "payments_dead_letters_total", "Records nobody could decode.", registry=registry
        )
        self.batch_records = Histogram(
            "payments_batch_records", "Records per batch.", buckets=_RECORDS, registry=registry
        )
        self.batch_seconds = Histogram(
            "payments_batch_seconds",
            "Time of each step of a batch.",
            ["step"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.forgotten = Counter(
            "payments_seen_forgotten_total",
            "Entries that left the table of seen events after the retention.",
            registry=registry,
        )
        self.retries = Counter(
            "payments_batch_retries_total", "Batches tried again.", ["error"], registry=registry
        )
        self.republished = Counter(
            "payments_republished_total", "Versions published again after a crash.",
            registry=registry,
        )  # fmt: skip

    def count(self, plan: Plan) -> None:
        """Counts what became of every input of a batch, once it is committed."""
        for row in plan.inbox:
            self.outcomes.labels(row.outcome, row.received.kind).inc()
            body = row.received.input.body
            ignored = row.outcome is Outcome.IGNORED
            if ignored and isinstance(body, Unmodelled) and body.unknown_status:
                self.unknown_statuses.labels(row.received.provider, body.kind).inc()
            if isinstance(body, Foreign):
                self.foreign.labels(row.received.provider).inc()
        for item in plan.duplicates:
            self.outcomes.labels(Outcome.DUPLICATE, item.kind).inc()
        self.dead_letters.inc(len(plan.dead_letters))


def _foreign(name: str, registry: CollectorRegistry) -> Counter:
    return Counter(
        name,
        "Events of another account or mode than ours, which had no effect.",
        ["provider"],
        registry=registry,
    )


class WorkMetrics:
    """The metrics of provider calls, router and reconciler."""

    def __init__(self, registry: CollectorRegistry) -> None:
        counter = partial(Counter, registry=registry)
        self.calls = counter(
            "payments_provider_calls_total",
            "Provider calls by what they came to.",
            ["provider", "operation", "outcome"],
        )
        self.call_seconds = Histogram(
            "payments_provider_call_seconds",
            "Time of one provider call.",
            ["provider", "operation"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.breaker_open = Gauge(
            "payments_breaker_open", "1 while calls wait.", ["provider"], registry=registry
        )
        self.fetched = counter(
            "payments_fetched_total",
            "Events fetched from the provider.",
            ["provider", "how"],
        )
        self.ignored = counter(
            "payments_ignored_webhooks_total",
            "Webhooks about no payment of ours that could have no effect on one.",
            ["provider", "kind"],
        )
        self.foreign = _foreign("payments_foreign_webhooks_total", registry)
        self.dead_letters = counter(
            "payments_dead_letters_total",
            "Records nobody could decode.",
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
        self.history_forgotten = counter(
            "payments_history_forgotten_total",
            "Rows about old inputs that were deleted after the retention.",
            ["table"],
        )
        self.parked_given_up = counter(
            "payments_parked_given_up_total",
            "Parked inputs that were ended because their payment never came.",
        )
        self.loop_errors = counter(
            "payments_work_errors_total",
            "Rounds that failed.",
            ["loop"],
        )
