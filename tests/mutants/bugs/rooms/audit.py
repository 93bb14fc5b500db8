"""Bugs of an audit's ranges, and of the processes that share them."""

from typing import Final

from tests.mutants.planted import Bug

_FINDINGS: Final = "tests/processor/ops/test_findings.py::test_{}"
_INVARIANTS: Final = "tests/processor/ops/test_invariants.py::test_{}"
_PROCESSES: Final = "tests/processor/ops/test_processes.py::test_{}"
_RANGES: Final = "tests/processor/ops/test_audit_ranges.py::test_{}"
_SINCE: Final = "tests/processor/ops/test_audit_since.py::test_{}"

_UNROUTED: Final = "tests/processor/ops/test_audit_unrouted.py::test_{}"

_PROGRESS: Final = "tests/processor/ops/test_progress.py::test_{}"
_START: Final = "tests/processor/test_worker_start.py::test_{}"

BUGS: Final = (
    Bug(
        "ops",
        "processor.ops.invariants:all_or_none",
        "(row is None or row.version is None)",
        "row is None",
        "an old event that came again after its deletion is a violation",
        (_INVARIANTS.format("an_old_event_that_comes_again_after_its_deletion_has_no_effect"),),
    ),
    Bug(
        "ops",
        "cli.checks:audit",
        "with sigterm_like_ctrl_c():",
        "if True:",
        "an audit that a scheduler ends says nothing",
        (_PROGRESS.format("an_audit_that_a_scheduler_ends_prints_what_it_found"),),
    ),
    Bug(
        "worker",
        "processor.worker.bootstrap:_run",
        "check_retentions(kafka, settings)",
        "pass",
        "a rejected command that is read again after its deletion is carried out",
        (_START.format("a_history_shorter_than_the_log_stops_the_start"),),
    ),
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
        "await _find_repeated(connection, findings)",
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
        "if each in new",
        "",
        "an incremental audit wants old versions on the new part of the topic",
        (
            _SINCE.format(
                "an_incremental_audit_looks_for_new_versions_on_the_new_part_of_the_topic"
            ),
        ),
        servers=True,
    ),
    Bug(
        "ops",
        "processor.ops.audit.run:Scope.log",
        "max(times.kept, self.since)",
        "max(times.kept, self.since - MARGIN)",
        "an incremental audit reports records as lost where one clock is ahead of another",
        (_SINCE.format("the_clock_that_records_outcomes_may_be_behind"),),
        servers=True,
    ),
    Bug(
        "ops",
        "processor.ops.audit.run:MARGIN",
        "minutes=10",
        "minutes=0",
        "an incremental audit misses outcomes of new records where a clock is behind",
        (_SINCE.format("the_clock_that_records_outcomes_may_be_behind"),),
        servers=True,
    ),
    Bug(
        "ops",
        "processor.ops.audit.run:_kept",
        "+ min(LONGEST, retention / 10)",
        "",
        "a long audit reports the events that leave meanwhile as missing",
        (_RANGES.format("history_that_leaves_while_an_audit_reads_is_not_missing"),),
        servers=True,
    ),
    Bug(
        "ops",
        "processor.ops.audit.tables:_due",
        "if each in new",
        "if each[0] in {payment_id for payment_id, _ in new}",
        "an incremental audit wants an old version again while a new one is not published yet",
        (_SINCE.format("an_incremental_audit_waits_for_a_version_that_is_new_and_not_published"),),
        servers=True,
    ),
    Bug(
        "ops",
        "postgres.ops.audit:CHANGED",
        "union all select payment_id from inbox where outcome in ('parked', 'quarantined')",
        "",
        "an incremental audit does not see an input that is stuck",
        (_SINCE.format("an_incremental_audit_checks_what_changed_and_what_waits"),),
        servers=True,
    ),
    Bug(
        "ops",
        "postgres.ops.audit:CHANGED",
        "union all select payment_id from provider_calls where state = 'due' and attempts > 0",
        "",
        "an incremental audit does not see a call that fails for days",
        (_SINCE.format("an_incremental_audit_checks_a_payment_for_which_something_waits"),),
        servers=True,
    ),
    Bug(
        "ops",
        "postgres.ops.audit:CHANGED",
        "union all select payment_id from unpublished_versions",
        "",
        "an incremental audit does not see a version that was never published",
        (_SINCE.format("an_incremental_audit_checks_a_payment_for_which_something_waits"),),
        servers=True,
    ),
    Bug(
        "ops",
        "processor.ops.audit.run:audit",
        """acknowledged = await topics.acknowledged(bootstrap)
    with TemporaryDirectory(prefix="payments-audit-") as folder:
        async with await _connect(database_url) as connection:
            times = await answering(connection, times)
            ranges, payments = await plan(connection, Path(folder), scope, times)
""",
        """with TemporaryDirectory(prefix="payments-audit-") as folder:
        async with await _connect(database_url) as connection:
            times = await answering(connection, times)
            ranges, payments = await plan(connection, Path(folder), scope, times)
        acknowledged = await topics.acknowledged(bootstrap)
""",
        "an incremental audit reports records as lost that came while it began",
        (_SINCE.format("what_is_acknowledged_while_payments_are_listed_is_in_flight"),),
        servers=True,
    ),
    Bug(
        "ops",
        "processor.ops.audit.run:audit",
        "ledger.violations(await _first_offsets(bootstrap, scope, clock()))",
        "ledger.violations()",
        "an audit that takes very long reports outcomes that left for their age",
        (_RANGES.format("an_outcome_may_leave_during_an_audit_that_takes_very_long"),),
        servers=True,
    ),
    Bug(
        "ops",
        "postgres.ops.audit:_CALLS",
        "and call_key < id || ';'",
        "and call_key < id || ':d'",
        "an incremental audit reports refunds' calls as missing",
        (_SINCE.format("an_incremental_audit_of_a_correct_store_finds_nothing"),),
        servers=True,
    ),
    Bug(
        "ops",
        "processor.ops.audit.tables:read",
        "notes = notes.of_listed()",
        "pass",
        "an incremental audit reports every other published payment as not stored",
        (_SINCE.format("an_incremental_audit_of_a_correct_store_finds_nothing"),),
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
    Bug(
        "ops",
        "processor.ops.audit.ranges:_read",
        "(published.quarantined.add if is_quarantined else published.quarantined.discard)(key)",
        "published.quarantined.update([key] if is_quarantined else [])",
        "the audit reports every payment that was ever quarantined",
        (
            "tests/processor/postgres/test_quarantine_published.py::test_the_audit_sees_the_end_of_a_quarantine_on_the_topic",
        ),
        servers=True,
    ),
    Bug(
        "ops",
        "processor.ops.audit.unrouted:Unrouted._wanted",
        "min(end, acknowledged(p))",
        "end",
        "a webhook that the router has not read yet is reported as lost",
        (_UNROUTED.format("a_webhook_that_is_nowhere_is_lost"),),
        servers=True,
    ),
    Bug(
        "ops",
        "processor.ops.audit.unrouted:Unrouted._nowhere",
        "(PROVIDER_WEBHOOKS, DEAD_LETTERS)",
        "(DEAD_LETTERS,)",
        "a webhook on its way from the router to the stream is reported as lost",
        (_UNROUTED.format("a_webhook_that_ended_or_waits_is_not_lost"),),
        servers=True,
    ),
    Bug(
        "ops",
        "processor.ops.audit.unrouted:Unrouted._nowhere",
        "sought.find_at(position)",
        "pass",
        "a dead letter without an event ID is reported as lost",
        (_UNROUTED.format("a_webhook_that_ended_or_waits_is_not_lost"),),
        servers=True,
    ),
    Bug(
        "ops",
        "processor.ops.audit.unrouted:Unrouted.lost",
        """yield f"{position} has no outcome"
                sought = Sought()""",
        """yield f"{position} has no outcome\"""",
        "a lost webhook is reported once for every thousand records after it",
        (_UNROUTED.format("a_lost_webhook_is_reported_once"),),
        servers=True,
    ),
    Bug(
        "ops",
        "postgres.ops.audit:UNROUTED_FOUND",
        "select from unrouted where event_id = id",
        "select from unrouted where false",
        "a webhook that waits for its payment is reported as lost",
        (_UNROUTED.format("a_webhook_that_ended_or_waits_is_not_lost"),),
        servers=True,
    ),
    Bug(
        "ops",
        "processor.ops.audit.run:_find_lost",
        'findings.add("S1", [violation])',
        "pass",
        "an audit says nothing of a webhook that the router has lost",
        (_UNROUTED.format("an_audit_reports_it"),),
        servers=True,
    ),
)
