"""Bugs of the statements."""

from typing import Final

from tests.mutants.planted import Bug

_CALL_CLAIMS: Final = "tests/processor/test_call_claims.py::test_{}"
_RECONCILER_LOOP: Final = "tests/processor/test_reconciler_loop.py::test_{}"

BUGS: Final = (
    Bug(
        "sql",
        "processor.store.work:EXPIRED",
        "and not exists (select from holds h where h.payment_id = payments.payment_id)",
        "",
        ("a held payment is sent an expiry at every sweep, and all of them wait behind the hold"),
        (_RECONCILER_LOOP.format("what_is_held_is_not_asked_to_end"),),
        servers=True,
    ),
    Bug(
        "sql",
        "processor.store.work:GAUGES",
        "where outcome in ('parked', 'quarantined')",
        "where outcome in ('parked')",
        "inputs that our own code failed on are in no gauge",
        (_RECONCILER_LOOP.format("what_waits_is_measured"),),
        servers=True,
    ),
    Bug(
        "sql",
        "processor.store.calls:CLAIM",
        "or attempts = 0",
        "",
        "a call written by a host whose clock is ahead waits until that time",
        (_CALL_CLAIMS.format("a_call_nobody_has_tried_is_due_whatever_the_time"),),
        servers=True,
    ),
)
