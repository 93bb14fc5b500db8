"""Bugs of the statements."""

from typing import Final

from tests.mutants.planted import Bug

_CALL_CLAIMS: Final = "tests/processor/worker/test_call_claims.py::test_{}"
_PROVIDER_CALLS: Final = "tests/processor/worker/test_dispatcher.py::test_{}"
_EVENT_LIST: Final = "tests/processor/worker/sweeps/test_event_list.py::test_{}"
_RECONCILER: Final = "tests/processor/worker/sweeps/test_reconciler.py::test_{}"
_RECONCILER_LOOP: Final = "tests/processor/worker/sweeps/test_reconciler_loop.py::test_{}"
_ROUTER: Final = "tests/processor/worker/routing/test_router.py::test_{}"
_STORE_BATCH: Final = "tests/processor/postgres/test_store_batch.py::test_{}"
_STORE_RACES: Final = "tests/processor/postgres/test_store_races.py::test_{}"

BUGS: Final = (
    Bug(
        "sql",
        "postgres.routing:EXPIRED",
        "and not exists (select from quarantines q where q.payment_id = payments.payment_id)",
        "",
        "a quarantined payment gets an expiry at every sweep, and all of them wait",
        (_RECONCILER_LOOP.format("a_quarantined_payment_does_not_expire"),),
        servers=True,
    ),
    Bug(
        "sql",
        "postgres.routing:EXPIRED",
        "and document ->> 'cancel' is null",
        "",
        "a payment that is being cancelled is expired again at every sweep",
        (_RECONCILER_LOOP.format("a_payment_without_action_in_time_expires"),),
        servers=True,
    ),
    Bug(
        "sql",
        "postgres.routing:EXPIRED",
        "expires_at < %s",
        "expires_at > %s",
        "payments expire before their time and never after it",
        (_RECONCILER_LOOP.format("a_payment_without_action_in_time_expires"),),
        servers=True,
    ),
    Bug(
        "sql",
        "postgres.looks:PLAN",
        "updated_at < %s",
        "updated_at > %s",
        "payments with recent events are looked up, and silent ones never",
        (_RECONCILER.format("an_unfinished_silent_payments_object_is_looked_up"),),
        servers=True,
    ),
    Bug(
        "sql",
        "postgres.looks:PLAN",
        "'REQUIRES_ACTION', 'AUTHORIZED')",
        "'REQUIRES_ACTION')",
        "an authorization that the bank lost is never looked up",
        (_RECONCILER.format("an_unfinished_silent_payments_object_is_looked_up"),),
        servers=True,
    ),
    Bug(
        "sql",
        "postgres.routing:MARK_ROUTABLE",
        "u.provider = n.provider and",
        "",
        (
            "a webhook of one provider is routed to another provider's payment with an object "
            "of the same name"
        ),
        (_ROUTER.format("another_providers_object_is_another_object"),),
        servers=True,
    ),
    Bug(
        "sql",
        "postgres.routing:EXPIRED_UNROUTED",
        "recorded_at < %s",
        "received_at < %s",
        "a webhook that was in the log during an outage is given up at once",
        (_ROUTER.format("an_old_record_waits_as_long_as_any_other"),),
        servers=True,
    ),
    Bug(
        "sql",
        "postgres.routing:GAUGES",
        "where outcome in ('parked', 'quarantined')",
        "where outcome in ('parked')",
        "quarantined inputs are in no gauge",
        (_RECONCILER_LOOP.format("the_backlog_is_measured"),),
        servers=True,
    ),
    Bug(
        "sql",
        "postgres.routing:WRITE_CURSOR",
        "set event_id = excluded.event_id,",
        "set event_id = cursors.event_id,",
        "each sweep of events starts where the first one started",
        (_EVENT_LIST.format("the_cursor_moves_page_by_page"),),
        servers=True,
    ),
    Bug(
        "sql",
        "postgres.outbox:CLAIM",
        "attempts = 0 and provider = %(provider)s",
        "attempts = 0 and provider = %(provider)s and next_attempt_at <= %(now)s",
        "a call written by a host whose clock is ahead waits until that time",
        (_CALL_CLAIMS.format("an_untried_call_is_due_at_any_time"),),
        servers=True,
    ),
    Bug(
        "sql",
        "postgres.outbox:CLAIM",
        "for update skip locked), due as",
        "for update), due as",
        "one call that another worker is claiming blocks all other claims",
        (_CALL_CLAIMS.format("two_claimers_never_get_the_same_call"),),
        servers=True,
    ),
    Bug(
        "sql",
        "postgres.outbox:CLAIM",
        "coalesce(key_first_used_at, %(now)s)",
        "%(now)s",
        "keys never expire: once the provider has deleted one, the customer pays twice",
        (_CALL_CLAIMS.format("a_claim_is_a_lease"),),
        servers=True,
    ),
    Bug(
        "sql",
        "postgres.outbox:CLAIM",
        "as either order by next_attempt_at",
        "as either order by call_key desc",
        "under load the calls that waited longest are never made",
        (_CALL_CLAIMS.format("calls_tried_before_and_new_ones_are_claimed_in_one_order"),),
        servers=True,
    ),
    Bug(
        "sql",
        "postgres.outbox:CLAIM",
        "attempts = 0 and provider = %(provider)s",
        "attempts = 0",
        "a call of a provider without a client is claimed, and fails",
        (_CALL_CLAIMS.format("another_providers_calls_are_not_claimed"),),
        servers=True,
    ),
    Bug(
        "sql",
        "postgres.outbox:RETRY_WITH_NEW_KEY",
        "and key_generation = %(generation)s",
        "",
        "two workers assign two new keys to one call: it may be made twice",
        (_CALL_CLAIMS.format("a_new_key_is_assigned_once"),),
        servers=True,
    ),
    Bug(
        "sql",
        "postgres.outbox:RETRY_WITH_NEW_KEY",
        "key_first_used_at = null",
        "key_first_used_at = key_first_used_at",
        "a call whose key had expired is looked up for ever and never made",
        (_PROVIDER_CALLS.format("a_call_that_never_happened_is_retried_at_once_under_a_new_key"),),
        servers=True,
    ),
    Bug(
        "sql",
        "postgres.outbox:RETRY",
        "and state = 'due'",
        "",
        "a late failure rewrites a call that is done",
        (_CALL_CLAIMS.format("a_call_that_is_done_stays_done"),),
        servers=True,
    ),
    Bug(
        "sql",
        "postgres.outbox:FINISH",
        "and state = 'due'",
        "",
        "a late response rewrites the outcome of a call that is done",
        (_CALL_CLAIMS.format("a_call_that_is_done_stays_done"),),
        servers=True,
    ),
    Bug(
        "sql",
        "postgres.batch.statements:_UNPUBLISHED",
        "p.version > u.version",
        "p.version > u.version + 1",
        "after a crash an older version follows a newer one in payment-state",
        (_STORE_BATCH.format("every_version_from_the_first_unpublished_one_is_loaded"),),
        servers=True,
    ),
    Bug(
        "sql",
        "postgres.batch.statements:UPDATE_PAYMENTS",
        "and p.version = n.expected",
        "",
        "a worker that lost its partition overwrites the new owner's version",
        (_STORE_RACES.format("a_plan_from_an_older_version_is_a_conflict"),),
        servers=True,
    ),
)
