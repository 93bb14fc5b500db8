"""Bugs of the operator's commands and the invariants."""

from typing import Final

from tests.mutants.planted import Bug

_INVARIANTS: Final = "tests/processor/test_invariants.py::test_{}"

BUGS: Final = (
    Bug(
        "ops",
        "processor.invariants:one_outcome_per_record",
        "- e.unacknowledged",
        "",
        "on a live system the audit reports every record in flight",
        (_INVARIANTS.format("what_is_in_flight_is_no_violation"),),
    ),
    Bug(
        "ops",
        "processor.invariants:one_outcome_per_record",
        "count > 1",
        "count > 2",
        "the audit does not see a record with two outcomes",
        (_INVARIANTS.format("what_is_wrong_is_told"),),
    ),
    Bug(
        "ops",
        "processor.invariants:one_effect_per_event",
        "count > 1",
        "count > 2",
        "the audit does not see an event that changed a payment twice",
        (_INVARIANTS.format("what_is_wrong_is_told"),),
    ),
    Bug(
        "ops",
        "processor.invariants:versions_dense_and_allowed",
        "list(range(1, payment.version + 1))",
        "list(range(1, len(versions) + 1))",
        "the audit does not see that the last version is missing",
        (_INVARIANTS.format("what_is_wrong_is_told"),),
    ),
    Bug(
        "ops",
        "processor.invariants:versions_dense_and_allowed",
        "before is not None and v.status is not before and not is_allowed(before, v.status)",
        "before is not None and v.status is not before and is_final(before)",
        "the audit does not see a transition that is not in the table",
        (_INVARIANTS.format("what_is_wrong_is_told"),),
    ),
    Bug(
        "ops",
        "processor.invariants:amounts_add_up",
        "p.captured <= p.authorized <= p.amount",
        "p.captured <= p.amount",
        "the audit does not see more captured than authorized",
        (_INVARIANTS.format("what_is_wrong_is_told"),),
    ),
    Bug(
        "ops",
        "processor.invariants:all_or_none",
        "or row.version != v.version",
        "",
        "the audit does not see that an event names another version than its own",
        (_INVARIANTS.format("what_is_wrong_is_told"),),
    ),
    Bug(
        "ops",
        "processor.invariants:all_or_none",
        'row.outcome != "applied" or',
        "",
        "the audit does not see a version whose event is recorded as having no effect",
        (_INVARIANTS.format("what_is_wrong_is_told"),),
    ),
    Bug(
        "ops",
        "processor.invariants:published_is_stored",
        "first = 1 if e.is_whole else min(seen)",
        "first = min(seen)",
        "the audit does not see that a payment's first versions were never published",
        (_INVARIANTS.format("what_is_wrong_is_told"),),
    ),
    Bug(
        "ops",
        "processor.invariants:published_is_stored",
        "max(due, *e.published_versions.get(payment_id, ())[-1:], 0)",
        "due",
        (
            "on a live system the audit does not see a published version that differs from the "
            "stored one"
        ),
        (_INVARIANTS.format("what_is_in_flight_is_no_violation"),),
    ),
    Bug(
        "ops",
        "processor.invariants:stored_is_derived",
        "(row.status, row.authorized, row.captured, row.refunded)",
        "(row.status, row.authorized, row.captured, money.refunded)",
        "the audit does not see a stored refunded amount that the facts deny",
        (_INVARIANTS.format("what_is_wrong_is_told"),),
    ),
    Bug(
        "ops",
        "processor.invariants:nothing_waits",
        "and row.payment_id not in e.held",
        "",
        "the audit reports what waits behind a hold as stuck",
        (_INVARIANTS.format("a_held_payments_events_may_wait"),),
    ),
    Bug(
        "ops",
        "processor.invariants:nothing_waits",
        "and not row.is_young",
        "",
        "the audit reports an input parked a moment ago as stuck",
        (_INVARIANTS.format("what_is_in_flight_is_no_violation"),),
    ),
)
