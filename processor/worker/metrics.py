"""The worker's Prometheus metrics."""

from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from runtime.metrics import SECONDS, UnknownAccountRows, foreign_events, unread_versions


class BudgetMetrics:
    """The metrics of the rate budgets of accounts at providers."""

    def __init__(self, registry: CollectorRegistry) -> None:
        counter = partial(Counter, registry=registry)
        self.tokens = counter(
            "payments_rate_budget_tokens_total",
            "Requests to a provider that this process took from the account's rate budget, used or "
            "lapsed, by what they are for.",
            ["provider", "request"],
        )
        self.reads = counter(
            "payments_provider_reads_total",
            "Requests of this process to a provider that are no calls: look-ups and sweeps. A "
            "provider may allow so many for each payment.",
            ["provider"],
        )
        self.wait_seconds = Histogram(
            "payments_rate_budget_wait_seconds",
            "Wait of a request to a provider for the rate budget.",
            ["provider", "request"],
            buckets=SECONDS,
            registry=registry,
        )
        self.denied = counter(
            "payments_rate_budget_denied_total",
            "Requests to a provider that were put off because the rate budget had no room in time.",
            ["provider", "request"],
        )
        self.refusals = counter(
            "payments_rate_limit_refusals_total",
            "Requests that the provider refused because there were too many.",
            ["provider"],
        )
        self.blocked_seconds = counter(
            "payments_rate_budget_blocked_seconds_total",
            "Seconds for which this process blocked the account's rate budget after such refusals.",
            ["provider"],
        )


class WorkerMetrics:
    """The metrics of the dispatcher, the router, the reconciler, retention and consumer lag."""

    def __init__(self, registry: CollectorRegistry) -> None:
        counter = partial(Counter, registry=registry)
        gauge = partial(Gauge, registry=registry)
        self.calls = counter(
            "payments_provider_calls_total",
            "Provider calls, by outcome.",
            ["provider", "operation", "outcome"],
        )
        self.call_seconds = Histogram(
            "payments_provider_call_duration_seconds",
            "Duration of a provider call, with its look-up if there was one.",
            ["provider", "operation"],
            buckets=SECONDS,
            registry=registry,
        )
        self.breaker_open = gauge(
            "payments_circuit_breaker_open",
            "1 while the provider's circuit breaker is open and its calls wait.",
            ["provider"],
        )
        self.ignored = counter(
            "payments_ignored_webhooks_total",
            "Webhooks about no known payment and without an effect on any.",
            ["provider", "kind"],
        )
        self.foreign = foreign_events("payments_foreign_webhooks_total", registry)
        self.unread_versions = unread_versions(registry)
        self.dead_letters = counter("payments_dead_letters_total", "Records sent to dead-letters.")
        self.consumer_lag = gauge(
            "payments_consumer_lag_records",
            "Records that a consumer group has not acknowledged. Absent if it can't be measured.",
            ["group", "topic", "partition"],
        )
        self.history_deleted = counter(
            "payments_history_deleted_rows_total",
            "Rows about old inputs that were deleted after the retention period.",
            ["table"],
        )
        self.parked_expired = counter(
            "payments_parked_expired_total",
            "Parked inputs that expired because their payment never arrived.",
        )
        self.loop_errors = counter(
            "payments_worker_errors_total",
            "Failed loops, sweeps and look-ups, by loop or sweep.",
            ["loop"],
        )
        self._of_sweeps(registry)

    def _of_sweeps(self, registry: CollectorRegistry) -> None:
        counter = partial(Counter, registry=registry)
        gauge = partial(Gauge, registry=registry)
        self.reconciled = counter(
            "payments_reconciled_events_total",
            "Events that the reconciler fetched: from the event list, or by looking up an object.",
            ["provider", "source"],
        )
        self.missing_objects = counter(
            "payments_missing_objects_total",
            "Looks at an unfinished payment's object that the provider does not have.",
            ["provider"],
        )
        self.notices = counter(
            "payments_notices_total",
            "Notices of events that a provider never made, by what became of them: looked (a look "
            "at the payment is due), ignored, given_up.",
            ["provider", "outcome"],
        )
        self.parts_not_permitted = counter(
            "payments_parts_not_permitted_total",
            "Refusals to list a kind of parts because our API key lacks the right to read them. A "
            "kind is asked for once a day.",
            ["provider", "kind"],
        )
        self.endpoint_problems = gauge(
            "payments_webhook_endpoint_problems",
            "Problems of the account's webhook endpoint at the provider. Absent if it can't be "
            "asked.",
            ["provider"],
        )
        self.backlog_oldest_age = gauge(
            "payments_backlog_oldest_age_seconds",
            "Age of the oldest row that waits, by kind. 0: none waits.",
            ["kind"],
        )
        self.unknown_accounts = UnknownAccountRows(registry)
        self.backlog = gauge("payments_backlog_rows", "Rows that wait, by kind.", ["kind"])
        self.sweep_completed = gauge(
            "payments_sweep_completed_timestamp_seconds",
            "Unix time at which a sweep last came to its end on this worker.",
            ["sweep"],
        )
