"""The stream's metrics."""

from prometheus_client import CollectorRegistry, Counter, Histogram

from domain.inputs import Foreign, Unmodelled
from domain.status import Outcome
from ports.batch import WriteSet
from runtime.metrics import SECONDS, UnknownAccountRows, foreign_events, unread_versions

_RECORDS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)


class StreamMetrics:
    """The metrics, on a given registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.outcomes = Counter(
            "payments_inputs_total", "Inputs by outcome.", ["outcome", "kind"], registry=registry
        )
        self.unknown_statuses = Counter(
            "payments_unknown_status_total",
            "Events with an unknown status; the payment's state was kept.",
            ["provider", "kind"],
            registry=registry,
        )
        self.unread_versions = unread_versions(registry)
        self.unknown_accounts = UnknownAccountRows(registry)
        self.foreign = foreign_events("payments_foreign_events_total", registry)
        self.dead_letters = Counter(
            "payments_dead_letters_total", "Undecodable records.", registry=registry
        )
        self.batch_records = Histogram(
            "payments_batch_records", "Records per batch.", buckets=_RECORDS, registry=registry
        )
        self.batch_seconds = Histogram(
            "payments_batch_seconds",
            "Time of each step of a batch.",
            ["step"],
            buckets=SECONDS,
            registry=registry,
        )
        self.evicted = Counter(
            "payments_dedup_evicted_total",
            "Entries evicted from the dedup table after the retention.",
            registry=registry,
        )
        self.retries = Counter(
            "payments_batch_retries_total", "Batches tried again.", ["error"], registry=registry
        )
        self.republished = Counter(
            "payments_republished_total", "Versions published again after a crash.",
            registry=registry,
        )  # fmt: skip

    def count(self, plan: WriteSet) -> None:
        """Counts the outcomes of a committed batch."""
        for row in plan.inbox:
            self.outcomes.labels(row.outcome, row.received.kind).inc()
            body = row.received.input.body
            ignored = row.outcome is Outcome.IGNORED
            if ignored and isinstance(body, Unmodelled) and body.unknown_status:
                self.unknown_statuses.labels(row.received.provider, body.kind).inc()
            if ignored and isinstance(body, Unmodelled) and body.unread_version:
                self.unread_versions.labels(row.received.provider, body.kind).inc()
            if isinstance(body, Foreign):
                self.foreign.labels(row.received.provider).inc()
        for item in plan.duplicates:
            self.outcomes.labels(Outcome.DUPLICATE, item.kind).inc()
        self.dead_letters.inc(len(plan.dead_letters))
