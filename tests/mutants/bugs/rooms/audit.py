"""Bugs of an audit's ranges, and of the processes that share them."""

from typing import Final

from tests.mutants.planted import Bug

_FINDINGS: Final = "tests/processor/ops/test_findings.py::test_{}"
_INVARIANTS: Final = "tests/processor/ops/test_invariants.py::test_{}"
_PROCESSES: Final = "tests/processor/ops/test_processes.py::test_{}"
_RANGES: Final = "tests/processor/ops/test_audit_ranges.py::test_{}"

BUGS: Final = (
    Bug(
        "ops",
        "postgres.ops.audit:_ROWS",
        '"last": "{id} >= %(first)s",',
        '"last": "{id} >= %(first)s and {id} < \'pay_z\'",',
        "an audit leaves out rows whose payment ID is no payment's",
        (_RANGES.format("the_ranges_find_what_a_look_at_everything_finds"),),
        servers=True,
    ),
    Bug(
        "ops",
        "processor.ops.audit.run:audit",
        'async for violation in _repeated(connection): findings.add("S2", [violation])',
        "pass",
        "an audit does not see an event with an effect on payments of two ranges",
        (_RANGES.format("the_ranges_find_what_a_look_at_everything_finds"),),
        servers=True,
    ),
    Bug(
        "ops",
        "processor.ops.audit.run:_note_outcomes",
        "[sql.EARLIER] if scope.start else []",
        "[]",
        "an audit that goes on reports every record of the first part as lost",
        (_RANGES.format("an_interrupted_audit_goes_on_where_it_was"),),
        servers=True,
    ),
    Bug(
        "ops",
        "processor.ops.audit.run:_Merging.add",
        "self._findings.reached = reached or self._findings.reached",
        "self._findings.reached = self._ranges[self._next - 1].first",
        "an audit that goes on checks a range again",
        (_RANGES.format("an_interrupted_audit_goes_on_where_it_was"),),
        servers=True,
    ),
    Bug(
        "ops",
        "processor.ops.audit.run:_Merging.add",
        "self._ledger.end_all(following.outcomes)",
        "pass",
        "an audit takes every record for lost",
        (_RANGES.format("the_ranges_find_what_a_look_at_everything_finds"),),
        servers=True,
    ),
    Bug(
        "ops",
        "processor.ops.audit.share:AuditShare.do",
        "list(ranges)[self.number :: self.count]",
        "list(ranges)[self.number :: self.count + 1]",
        "an audit leaves out ranges",
        (_RANGES.format("the_ranges_find_what_a_look_at_everything_finds"),),
        servers=True,
    ),
    Bug(
        "ops",
        "processor.ops.audit.tables:_due",
        "if key in new",
        "",
        "an incremental audit wants old versions on the new part of the topic",
        (
            _RANGES.format(
                "an_incremental_audit_looks_for_new_versions_on_the_new_part_of_the_topic"
            ),
        ),
        servers=True,
    ),
    Bug(
        "ops",
        "postgres.ops.audit:CHANGED",
        "union all select payment_id from inbox where outcome in ('parked', 'quarantined')",
        "",
        "an incremental audit does not see an input that is stuck",
        (_RANGES.format("an_incremental_audit_checks_what_changed_and_what_waits"),),
        servers=True,
    ),
    Bug(
        "ops",
        "processor.ops.invariants:all_or_none",
        "len(recorded) < len(e.inbox)",
        "False",
        "the audit does not see an event that is recorded in two quarters",
        (_INVARIANTS.format("a_violation_is_reported"),),
    ),
    Bug(
        "ops",
        "processor.ops.audit.findings:Findings.merge",
        "mine.violations += other.violations - len(other.first)",
        "pass",
        "an audit counts only the violations of a range that it shows",
        (_FINDINGS.format("all_violations_of_all_ranges_are_counted"),),
    ),
    Bug(
        "ops",
        "processor.ops.processes:_in_process",
        "if not isinstance(last, BaseException): receive(last)",
        "pass",
        "what other processes find is lost",
        (_PROCESSES.format("all_shares_are_done"),),
    ),
)
