"""Bugs of the stream."""

from typing import Final

from tests.mutants.planted import Bug

_BATCH: Final = "tests/processor/stream/test_batch.py::test_{}"
_DECODE: Final = "tests/processor/decisions/test_decode.py::test_{}"
_FOLD: Final = "tests/processor/decisions/test_fold.py::test_{}"
_FOLD_GUARDS: Final = "tests/processor/decisions/test_fold_guards.py::test_{}"
_FOLD_RELEASE: Final = "tests/processor/decisions/test_fold_release.py::test_{}"
_SILENCE: Final = "tests/processor/messaging/test_transactional_publisher_silence.py::test_{}"
_PUBLISHER: Final = "tests/processor/messaging/test_transactional_publisher.py::test_{}"
_QUARANTINE: Final = "tests/processor/postgres/test_quarantine_published.py::test_{}"

BUGS: Final = (
    Bug(
        "stream",
        "decisions.fold:_Fold._quarantine",
        "self._plan.announced[payment_id] = row.received.record.position.partition",
        "",
        "consumers of payment-state do not see a payment's quarantine",
        (_QUARANTINE.format("a_quarantine_is_published_and_so_is_its_end"),),
        servers=True,
    ),
    Bug(
        "stream",
        "decisions.fold:_Fold._release",
        "self._plan.announced[payment_id] = row.received.record.position.partition",
        "",
        "consumers of payment-state see an ended quarantine for ever",
        (_QUARANTINE.format("a_release_that_creates_no_version_is_published_too"),),
        servers=True,
    ),
    Bug(
        "stream",
        "postgres.publications:announce",
        "await connection.execute(sql.END_EMPTY_PUBLICATIONS, [now, left])",
        "",
        "an alert reports an unpublished version for ever, though all are published",
        (_QUARANTINE.format("a_crash_before_it_is_published_is_repaired"),),
        servers=True,
    ),
    Bug(
        "stream",
        "postgres.publications:last_versions",
        "plan.announced.keys() - new",
        "plan.announced.keys()",
        "an older version follows a newer one in payment-state",
        (_QUARANTINE.format("a_quarantine_is_published_and_so_is_its_end"),),
        servers=True,
    ),
    Bug(
        "stream",
        "messaging.transactional_publisher:StatePublisher.publish",
        "r.payment_id, r.version)",
        "r.payment_id, str(r.version))",
        "of versions 9 and 10 the older one is last in payment-state",
        (_PUBLISHER.format("version_ten_comes_after_version_nine"),),
        servers=True,
    ),
    Bug(
        "stream",
        "processor.stream.batch:BatchProcessor._publish",
        "or republications != self._republications",
        "",
        "a batch in flight during a take-over publishes an older version after a newer one",
        (_BATCH.format("an_assignment_between_commit_and_publishing_leaves_the_newest_last"),),
        servers=True,
    ),
    Bug(
        "stream",
        "processor.stream.batch:BatchProcessor._publish",
        "self._republications += is_stale",
        "self._republications += 0",
        "a batch after a redelivered one publishes an older version after a newer one",
        (_BATCH.format("a_batch_after_a_redelivered_one_leaves_the_newest_last"),),
        servers=True,
    ),
    Bug(
        "stream",
        "processor.stream.batch:BatchProcessor.on_assigned",
        "self._republications += 1",
        "self._republications += 0",
        "a batch in flight during a take-over publishes an older version after a newer one",
        (_BATCH.format("an_assignment_between_commit_and_publishing_leaves_the_newest_last"),),
        servers=True,
    ),
    Bug(
        "stream",
        "processor.stream.batch:BatchProcessor._split_duplicates",
        "elif known != received.record.position:",
        "else:",
        "a record delivered twice is counted as a duplicate of itself",
        (_BATCH.format("a_second_record_of_an_event_is_a_duplicate"),),
        servers=True,
    ),
    Bug(
        "stream",
        "processor.stream.batch:BatchProcessor._publish",
        "committed.redelivered | {",
        "{",
        "after a crash the versions of a redelivered batch are never published",
        (_BATCH.format("a_worker_that_lost_its_partition_is_stopped"),),
        servers=True,
    ),
    Bug(
        "stream",
        "processor.stream.batch:_few_collisions.__call__",
        "retry_state.attempt_number < COLLISIONS_MAX",
        "retry_state.attempt_number < 1",
        "a race for a unique key quarantines the payment for an operator at once",
        (_BATCH.format("a_key_that_was_taken_meanwhile_is_retried"),),
        servers=True,
    ),
    Bug(
        "stream",
        "processor.stream.batch:as_record",
        "* 1000",
        "",
        "a dead letter has its record's time in seconds instead of milliseconds",
        (_BATCH.format("a_faust_event_becomes_its_record"),),
        servers=True,
    ),
    Bug(
        "stream",
        "processor.stream.batch:BatchProcessor._commit_all",
        "if must_propagate(error):",
        "if not error:",
        (
            "a conflict between two workers, or Postgres away, is treated as a defect of each "
            "payment"
        ),
        (_BATCH.format("a_retryable_error_quarantines_no_payment"),),
        servers=True,
    ),
    Bug(
        "stream",
        "processor.stream.batch:BatchProcessor.publish_and_ack",
        "for event in batch.events: event.ack()",
        "for event in batch.events[:-1]:\n            event.ack()",
        "the last record of each batch is never acknowledged",
        (_BATCH.format("a_broken_connection_is_retried"),),
        servers=True,
    ),
    Bug(
        "stream",
        "processor.stream.batch:BatchProcessor._commit",
        "plan.dead_letters.extend(dead)",
        "plan.dead_letters.extend(dead[:0])",
        "a dead letter has no outcome in Postgres: audit reports a record without one",
        (_BATCH.format("every_input_is_counted"),),
        servers=True,
    ),
    Bug(
        "stream",
        "messaging.transactional_publisher:StatePublisher._transact",
        "part[start : start + TRANSACTION_RECORDS_MAX]",
        "part[start : start + TRANSACTION_RECORDS_MAX - 1]",
        "the last version of every full transaction is never published",
        (_PUBLISHER.format("a_large_publication_is_split_and_stays_in_order"),),
        servers=True,
    ),
    Bug(
        "stream",
        "messaging.transactional_publisher:StatePublisher.publish",
        "sending.cancel() #",
        "pass #",
        "an abandoned publication continues in parallel with the next one",
        (_SILENCE.format("a_cancelled_publication_does_not_continue"),),
        servers=True,
    ),
    Bug(
        "stream",
        "messaging.transactional_publisher:StatePublisher.assign",
        "gone = [self._producers.pop(p) for p in set(self._producers) - wanted]",
        "gone: list[AIOKafkaProducer] = []",
        "a worker keeps publishing to revoked partitions",
        (_PUBLISHER.format("revoked_partitions_are_given_up"),),
        servers=True,
    ),
    Bug(
        "stream",
        "decisions.fold:_Fold._is_new",
        "first != position",
        "True",
        "a record that is in a batch twice is a duplicate of itself",
        (_FOLD.format("the_same_record_twice_in_a_batch_is_one_record"),),
    ),
    Bug(
        "stream",
        "decisions.fold:_Fold._is_new",
        "or not free",
        "",
        "an input parked by a quarantine is decided again at each redelivery",
        (_FOLD.format("a_parked_record_that_comes_again_with_its_payment_is_applied_once"),),
    ),
    Bug(
        "stream",
        "decisions.fold:_Fold._apply",
        "self._owners[after.provider, after.object_id] = payment_id",
        "str(payment_id)",
        "two payments of one batch both own one object of the provider",
        (_FOLD_GUARDS.format("another_payments_object_is_a_conflict"),),
    ),
    Bug(
        "stream",
        "decisions.fold:_Fold._release",
        "self._plan.quarantines.pop(payment_id, None)",
        "pass",
        "a quarantine released in its own batch is stored nevertheless",
        (_FOLD_RELEASE.format("a_quarantine_and_its_release_in_one_batch_leave_no_quarantine"),),
    ),
    Bug(
        "stream",
        "decisions.fold:_Fold._waited",
        "if received.event_id not in self._first_positions",
        "if True",
        "an input that waited is applied twice by one release",
        (
            _FOLD_RELEASE.format(
                "a_quarantined_create_is_processed_before_inputs_that_waited_for_it"
            ),
        ),
    ),
    Bug(
        "stream",
        "decisions.fold:_Fold._apply",
        "or after.version > before.version",
        "",
        "no version after the first is ever published",
        (_FOLD.format("a_create_and_a_webhook_make_two_versions"),),
    ),
    Bug(
        "stream",
        "decisions.decode:_check_key",
        "record.key != received.payment_id.encode()",
        "False",
        "a record under another payment's key is processed out of order",
        (_DECODE.format("an_undecodable_record_is_a_dead_letter_with_the_reason"),),
    ),
    Bug(
        "stream",
        "decisions.decode:Decoder._webhook",
        "fact.event_id != event_id",
        "False",
        (
            "a webhook whose header and body differ in their event ID is deduplicated by the "
            "wrong one"
        ),
        (_DECODE.format("an_undecodable_record_is_a_dead_letter_with_the_reason"),),
    ),
    Bug(
        "stream",
        "decisions.decode:_header",
        "or len(value) > headers.ID_CHARS_MAX",
        "",
        "an ID longer than Postgres can index stops the whole batch",
        (_DECODE.format("an_undecodable_record_is_a_dead_letter_with_the_reason"),),
    ),
    Bug(
        "stream",
        "schemas.commands:CancelPayment.expired",
        'return self.cause == "expired"',
        "return False",
        "an expiry cancels a payment whose customer has acted meanwhile",
        (_DECODE.format("an_expiry_is_distinct_from_a_clients_cancel"),),
    ),
    Bug(
        "stream",
        "decisions.decode:_result",
        "object_id=result.object_id",
        "object_id=result.call_key",
        "a payment is bound to the call's key instead of the provider's object",
        (_DECODE.format("a_result_is_an_acknowledgement_or_a_refusal"),),
    ),
)
