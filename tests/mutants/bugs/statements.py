"""More bugs of the statements: columns, order, guards."""

from typing import Final

from tests.mutants.planted import Bug

BUGS: Final = (
    Bug(
        "sql",
        "postgres.routing:PARK_UNROUTED",
        "on conflict do nothing",
        "",
        "a webhook that is in the log twice stops the router for good",
        (
            "tests/processor/worker/routing/test_router.py::test_a_redelivered_webhook_is_stored_once",
        ),
        servers=True,
    ),
    Bug(
        "sql",
        "postgres.routing:EXPIRED_UNROUTED",
        "order by recorded_at",
        "order by recorded_at desc",
        "with many waiting, the oldest are never given up",
        (
            "tests/processor/worker/routing/test_router.py::test_waiting_webhooks_leave_in_the_order_they_came",
        ),
        servers=True,
    ),
    Bug(
        "sql",
        "postgres.routing:GAUGES",
        "where published_at is null",
        "",
        "the gauge of unpublished versions counts published ones",
        (
            "tests/processor/worker/sweeps/test_reconciler_loop.py::test_finished_work_is_not_in_the_backlog",
        ),
        servers=True,
    ),
    Bug(
        "sql",
        "postgres.routing:GAUGES",
        "(select min(oldest.created_at)",
        "(select max(oldest.created_at)",
        "the oldest unfinished payment has the age of the newest",
        (
            "tests/processor/worker/sweeps/test_reconciler_loop.py::test_finished_work_is_not_in_the_backlog",
        ),
        servers=True,
    ),
    Bug(
        "sql",
        "postgres.batch.statements:UPDATE_PAYMENTS",
        "document = n.document",
        "document = p.document",
        "the next batch overwrites every change of a payment",
        (
            "tests/processor/postgres/test_store_batch.py::test_the_columns_follow_a_payment_over_batches",
        ),
        servers=True,
    ),
    Bug(
        "sql",
        "postgres.batch.statements:UPSERT_DISPUTES",
        "status = excluded.status",
        "status = disputes.status",
        "a dispute's row stays open after its end",
        (
            "tests/processor/postgres/test_store_batch.py::test_the_columns_follow_a_payment_over_batches",
        ),
        servers=True,
    ),
    Bug(
        "sql",
        "postgres.batch.statements:UPSERT_DISPUTES",
        "funds = excluded.funds",
        "funds = disputes.funds",
        "money that a won dispute gave back is missing in its row",
        (
            "tests/processor/postgres/test_store_batch.py::test_the_columns_follow_a_payment_over_batches",
        ),
        servers=True,
    ),
    Bug(
        "sql",
        "postgres.routing:ROUTABLE",
        "order by recorded_at",
        "order by recorded_at desc",
        "with many waiting, the oldest are never routed",
        (
            "tests/processor/worker/routing/test_router.py::test_waiting_webhooks_leave_in_the_order_they_came",
        ),
        servers=True,
    ),
    Bug(
        "sql",
        "postgres.routing:EXPIRED",
        "order by expires_at",
        "order by expires_at desc",
        "with many expired, the oldest are never cancelled",
        (
            "tests/processor/worker/sweeps/test_reconciler_loop.py::test_the_earliest_expiry_comes_first",
        ),
        servers=True,
    ),
    Bug(
        "sql",
        "postgres.batch.statements:UPDATE_PAYMENTS",
        "captured = n.captured",
        "captured = p.captured",
        "audit and reports read 0 captured of a paid payment",
        (
            "tests/processor/postgres/test_store_batch.py::test_the_columns_follow_a_payment_over_batches",
        ),
        servers=True,
    ),
    Bug(
        "sql",
        "postgres.routing:GAUGES",
        "where state = 'due'",
        "",
        "the gauge of due calls counts those that are done",
        (
            "tests/processor/worker/sweeps/test_reconciler_loop.py::test_finished_work_is_not_in_the_backlog",
        ),
        servers=True,
    ),
    Bug(
        "sql",
        "postgres.batch.statements:UPDATE_PAYMENTS",
        "object_id = n.object_id",
        "object_id = p.object_id",
        "webhooks about the object are never routed to its payment",
        (
            "tests/processor/postgres/test_store_batch.py::test_the_columns_follow_a_payment_over_batches",
        ),
        servers=True,
    ),
    Bug(
        "sql",
        "postgres.batch.statements:UPSERT_REFUNDS",
        "reversed = excluded.reversed",
        "reversed = refunds.reversed",
        "a returned refund is stored as paid out",
        (
            "tests/processor/postgres/test_store_batch.py::test_the_columns_follow_a_payment_over_batches",
        ),
        servers=True,
    ),
    Bug(
        "sql",
        "postgres.batch.statements:UPSERT_DISPUTES",
        "respond_by = excluded.respond_by",
        "respond_by = disputes.respond_by",
        "a dispute keeps the deadline of a response that was given",
        (
            "tests/processor/postgres/test_store_batch.py::test_the_columns_follow_a_payment_over_batches",
        ),
        servers=True,
    ),
    Bug(
        "sql",
        "postgres.routing:INSERT_IGNORED",
        "on conflict do nothing",
        "",
        "an ignored webhook that comes twice stops the router for good",
        (
            "tests/processor/worker/routing/test_router.py::test_a_webhook_without_effect_is_ignored_with_its_reason",
        ),
        servers=True,
    ),
    Bug(
        "sql",
        "postgres.routing:DELETE_UNROUTED",
        "event_id = any(%s)",
        "event_id <> all(%s)",
        "waiting webhooks are lost, and routed ones are sent again and again",
        (
            "tests/processor/worker/routing/test_router.py::test_an_unknown_objects_webhook_waits_until_it_is_known",
        ),
        servers=True,
    ),
    Bug(
        "sql",
        "postgres.looks:PLAN",
        "and object_id is not null",
        "",
        "a payment without an object is looked up: the sweep fails",
        (
            "tests/processor/worker/sweeps/test_reconciler.py::test_final_payments_and_those_without_an_object_are_not_looked_up",
        ),
        servers=True,
    ),
    Bug(
        "sql",
        "postgres.looks:PLAN",
        "payment_id > %s",
        "payment_id >= %s",
        "the last payment of each page is looked up twice, and the sweep never ends",
        (
            "tests/processor/worker/sweeps/test_reconciler.py::test_every_page_of_unfinished_payments_is_looked_up",
        ),
        servers=True,
    ),
    Bug(
        "sql",
        "postgres.looks:PLAN",
        "order by payment_id",
        "order by updated_at",
        "pages are out of order: payments between two pages are never looked up",
        (
            "tests/processor/worker/sweeps/test_reconciler.py::test_every_page_of_unfinished_payments_is_looked_up",
        ),
        servers=True,
    ),
    Bug(
        "sql",
        "postgres.routing:EXPIRED",
        "status = 'REQUIRES_ACTION' and",
        "",
        "a payment that succeeded gets an expiry at every sweep",
        (
            "tests/processor/worker/sweeps/test_reconciler_loop.py::test_only_a_payment_that_waits_for_its_customer_expires",
        ),
        servers=True,
    ),
    Bug(
        "sql",
        "postgres.batch.statements:LOAD_WAITING",
        "outcome in ('parked', 'quarantined')",
        "outcome in ('parked')",
        "a release does not process the quarantined event",
        (
            "tests/processor/ops/test_replay.py::test_after_the_fix_a_replay_leaves_no_trace_of_the_quarantine",
        ),
        servers=True,
    ),
    Bug(
        "sql",
        "postgres.batch.statements:UPDATE_PAYMENTS",
        "authorized = n.authorized",
        "authorized = p.authorized",
        "reports read 0 authorized of every payment",
        (
            "tests/processor/postgres/test_store_batch.py::test_every_version_from_the_first_unpublished_one_is_loaded",
        ),
        servers=True,
    ),
    Bug(
        "sql",
        "postgres.batch.statements:UPDATE_PAYMENTS",
        "refunded = n.refunded",
        "refunded = p.refunded",
        "audit and reports read 0 refunded after a refund",
        (
            "tests/processor/postgres/test_refund_rows.py::test_one_claim_on_two_payments_is_two_refunds",
        ),
        servers=True,
    ),
    Bug(
        "sql",
        "postgres.batch.statements:UPSERT_REFUNDS",
        "status = excluded.status",
        "status = refunds.status",
        "a refund's row stays PENDING for ever",
        (
            "tests/processor/postgres/test_refund_rows.py::test_a_refund_whose_webhook_precedes_its_result_has_one_row",
        ),
        servers=True,
    ),
)
