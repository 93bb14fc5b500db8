"""Bugs of the operator's commands and the invariants."""

from typing import Final

from tests.mutants.planted import Bug

_AUDIT: Final = "tests/processor/test_audit.py::test_{}"
_DEAD_LETTERS: Final = "tests/processor/test_dead_letters.py::test_{}"
_INVARIANTS: Final = "tests/processor/test_invariants.py::test_{}"
_PUBLISHER: Final = "tests/processor/test_publisher.py::test_{}"
_REBUILD: Final = "tests/processor/test_rebuild.py::test_{}"

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
    Bug(
        "ops",
        "processor.audit:_read_log",
        "record.offset >= acknowledged[topic, record.partition]",
        "record.offset > acknowledged[topic, record.partition]",
        "the first record in flight of a partition is reported as lost",
        (_AUDIT.format("what_nobody_has_acknowledged_is_in_flight"),),
        servers=True,
    ),
    Bug(
        "ops",
        "processor.audit:_read_log",
        "record.timestamp < since.timestamp() * 1000",
        "record.timestamp < since.timestamp()",
        "records older than the retention are reported as without an outcome",
        (_AUDIT.format("a_record_older_than_the_retention_needs_no_outcome"),),
        servers=True,
    ),
    Bug(
        "ops",
        "processor.audit:_read_log",
        "record.timestamp < before.timestamp() * 1000",
        "record.timestamp < before.timestamp()",
        "records that waited for hours are not counted as lag",
        (_AUDIT.format("a_record_is_lag_once_it_had_time_to_settle"),),
        servers=True,
    ),
    Bug(
        "ops",
        "processor.audit:_UNROUTED",
        "greatest(u.recorded_at, p.updated_at)",
        "u.recorded_at",
        "a webhook whose payment came to be a moment ago is reported as stuck",
        (_AUDIT.format("a_webhook_is_stuck_only_after_its_payment_had_time_to_take_it"),),
        servers=True,
    ),
    Bug(
        "ops",
        "processor.audit:_MARKED",
        "where published_at is not null group by",
        "group by",
        "a version in flight is reported as not published",
        (_AUDIT.format("only_what_is_noted_as_published_has_to_be_there"),),
        servers=True,
    ),
    Bug(
        "ops",
        "processor.operate.compare:_DIFFERENT",
        "full join",
        "join",
        "rebuild does not see a row that is missing on one side",
        (_REBUILD.format("a_difference_is_found"),),
        servers=True,
    ),
    Bug(
        "ops",
        "processor.operate.compare:TABLES",
        '("previous_status", "status", "event_id", "at", "snapshot")',
        '("previous_status", "status", "event_id", "at")',
        "rebuild does not see a snapshot that was altered",
        (_REBUILD.format("a_difference_is_found"),),
        servers=True,
    ),
    Bug(
        "ops",
        "processor.operate.letters:replay",
        "chunk.clear()",
        "pass",
        "of more than 200 dead letters some are sent again and again",
        (_DEAD_LETTERS.format("many_are_sent_in_chunks_and_each_once"),),
        servers=True,
    ),
    Bug(
        "ops",
        "processor.operate.letters:replay",
        "{} if again else await",
        "await",
        "--again sends nothing that was sent before",
        (_DEAD_LETTERS.format("one_that_can_be_decoded_now_is_processed_like_any_other"),),
        servers=True,
    ),
    Bug(
        "ops",
        "processor.operate.letters:_send",
        (
            "await sender.send([Outgoing(x.topic, x.key, x.value, x.came_with) for x in "
            "chunk]) await store.note_replayed(connection, [letter.place for letter in chunk], "
            "now)"
        ),
        (
            "await store.note_replayed(connection, [letter.place for letter in chunk], now)\n  "
            "      await sender.send([Outgoing(x.topic, x.key, x.value, x.came_with) for x in "
            "chunk])"
        ),
        "letters that the brokers did not take are noted as sent and never sent",
        (_DEAD_LETTERS.format("what_the_brokers_did_not_take_is_not_noted_as_sent"),),
        servers=True,
    ),
    Bug(
        "ops",
        "processor.operate.letters:_letter",
        "if name not in _OURS",
        "if name",
        "a dead letter sent again carries the headers of its first failure",
        (_DEAD_LETTERS.format("one_that_still_cannot_be_decoded_is_a_dead_letter_once_more"),),
        servers=True,
    ),
    Bug(
        "ops",
        "processor.operate.letters:replay",
        "letter.topic not in ORIGINS",
        "False",
        "a letter whose origin was not noted makes the whole replay fail",
        (_DEAD_LETTERS.format("what_has_no_home_or_is_not_there_is_told"),),
        servers=True,
    ),
    Bug(
        "ops",
        "processor.operate.log:records",
        'isolation_level="read_committed"',
        'isolation_level="read_uncommitted"',
        "versions of an aborted transaction are taken for published",
        (_PUBLISHER.format("what_was_aborted_is_never_read"),),
        servers=True,
    ),
    Bug(
        "ops",
        "processor.operate.rebuild:_INPUTS",
        "order by i.decided",
        'order by l."offset", l.topic',
        "a rebuild decides commands before the webhooks that came first, and differs",
        (_REBUILD.format("a_rebuild_equals_what_is_stored"),),
        servers=True,
    ),
    Bug(
        "ops",
        "processor.operate.rebuild:_NOT_CHECKABLE",
        "or i.decided is null",
        "",
        "a payment decided before the order was kept is reported as different",
        (_REBUILD.format("what_the_log_has_lost_is_counted_and_no_difference"),),
        servers=True,
    ),
    Bug(
        "ops",
        "processor.operate.rebuild:_INPUTS",
        "i.kind <> 'operator.release' and",
        "",
        "a rebuild stumbles over releases, which are no part of what the log says",
        (_REBUILD.format("what_a_payment_was_held_for_makes_no_difference"),),
        servers=True,
    ),
)
