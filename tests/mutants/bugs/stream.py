"""Bugs of the stream."""

from typing import Final

from tests.mutants.planted import Bug

_BATCH: Final = "tests/processor/test_batch.py::test_{}"
_DECODE: Final = "tests/processor/test_decode.py::test_{}"
_FOLD: Final = "tests/processor/test_fold.py::test_{}"
_FOLD_GUARDS: Final = "tests/processor/test_fold_guards.py::test_{}"
_FOLD_RELEASE: Final = "tests/processor/test_fold_release.py::test_{}"
_PIPELINE: Final = "tests/processor/test_pipeline.py::test_{}"
_PUBLISHER: Final = "tests/processor/test_publisher.py::test_{}"
_SEEN: Final = "tests/processor/test_seen.py::test_{}"
_STRICT_CONSUMER: Final = "tests/processor/test_strict_consumer.py::test_{}"
_TABLE_REPAIR: Final = "tests/processor/test_table_repair.py::test_{}"
_WATCHDOG: Final = "tests/processor/test_watchdog.py::test_{}"

BUGS: Final = (
    Bug(
        "stream",
        "processor.publisher:StatePublisher.publish",
        "r.payment_id, r.version)",
        "r.payment_id, str(r.version))",
        "of versions 9 and 10 the older one stands last in payment-state",
        (_PUBLISHER.format("version_ten_comes_after_version_nine"),),
        servers=True,
    ),
    Bug(
        "stream",
        "processor.batch:BatchProcessor._publish",
        "or catch_ups != self._catch_ups",
        "",
        "a batch under way during a take-over publishes an older version after a newer one",
        (_BATCH.format("a_take_over_between_commit_and_publishing_leaves_the_newest_last"),),
        servers=True,
    ),
    Bug(
        "stream",
        "processor.batch:BatchProcessor._publish",
        "self._catch_ups += asked",
        "self._catch_ups += 0",
        "a batch behind one that caught up publishes an older version after a newer one",
        (_BATCH.format("a_batch_behind_one_that_came_again_leaves_the_newest_last"),),
        servers=True,
    ),
    Bug(
        "stream",
        "processor.batch:BatchProcessor.take_over",
        "self._catch_ups += 1",
        "self._catch_ups += 0",
        "a batch under way during a take-over publishes an older version after a newer one",
        (_BATCH.format("a_take_over_between_commit_and_publishing_leaves_the_newest_last"),),
        servers=True,
    ),
    Bug(
        "stream",
        "processor.fold:_Fold._is_new",
        "first != position",
        "True",
        "a record that a batch holds twice is a duplicate of itself",
        (_FOLD.format("the_very_same_record_twice_in_a_batch_is_one_record"),),
    ),
    Bug(
        "stream",
        "processor.fold:_Fold._is_new",
        "or not free",
        "",
        "what waits behind a hold is decided again each time it is redelivered",
        (_FOLD.format("a_parked_record_that_comes_again_with_its_payment_is_applied_once"),),
    ),
    Bug(
        "stream",
        "processor.fold:_Fold._apply",
        "self._owners[after.provider, after.object_id] = payment_id",
        "pass",
        "two payments of one batch both take one object of the provider for theirs",
        (_FOLD_GUARDS.format("another_payments_object_is_a_conflict"),),
    ),
    Bug(
        "stream",
        "processor.fold:_Fold._release",
        "self._plan.holds.pop(payment_id, None)",
        "pass",
        "a hold taken away in the batch that made it is stored all the same",
        (_FOLD_RELEASE.format("a_hold_and_its_release_in_one_batch_leave_no_hold"),),
    ),
    Bug(
        "stream",
        "processor.fold:_Fold._waited",
        "if received.event_id not in self._seen",
        "if True",
        "an input that waited is applied twice by one release",
        (_FOLD_RELEASE.format("a_create_we_failed_on_is_taken_up_with_what_came_before_it"),),
    ),
    Bug(
        "stream",
        "processor.fold:_Fold._apply",
        "or after.version > before.version",
        "",
        "after the first version no other is ever published",
        (_FOLD.format("a_payment_and_its_webhook"),),
    ),
    Bug(
        "stream",
        "processor.decode:_check_key",
        "record.key != received.payment_id.encode()",
        "False",
        "a record under another payment's key is processed out of its payment's order",
        (_DECODE.format("what_cannot_be_decoded_says_why"),),
    ),
    Bug(
        "stream",
        "processor.decode:Decoder._webhook",
        "fact.event_id != event_id",
        "False",
        (
            "a webhook whose header and body differ in their event ID is deduplicated by the "
            "wrong one"
        ),
        (_DECODE.format("what_cannot_be_decoded_says_why"),),
    ),
    Bug(
        "stream",
        "processor.decode:_header",
        "or len(value) > headers.ID_CHARS_MAX",
        "",
        "an ID longer than Postgres can index stops the whole batch",
        (_DECODE.format("what_cannot_be_decoded_says_why"),),
    ),
    Bug(
        "stream",
        "processor.decode:to_domain",
        'expired=command.cause == "expired"',
        "expired=False",
        "an expiry cancels a payment whose customer has acted meanwhile",
        (_DECODE.format("an_expiry_is_no_clients_cancel"),),
    ),
    Bug(
        "stream",
        "processor.decode:_result",
        "object_id=result.object_id",
        "object_id=result.call_key",
        "a payment is bound to our own call's key instead of the provider's object",
        (_DECODE.format("a_result_is_an_acknowledgement_or_a_refusal"),),
    ),
    Bug(
        "stream",
        "processor.seen:SeenTable._encode",
        "[-self._per_payment :]",
        "[: self._per_payment]",
        "the table of seen events keeps the oldest event IDs and forgets each new one",
        (_SEEN.format("only_a_payments_latest_events_are_kept"),),
    ),
    Bug(
        "stream",
        "processor.seen:SeenTable.forget_old",
        'found[-1][0] if len(found) == LOOKED_AT else b""',
        'b""',
        "only the first entries of a partition are ever looked at: the table grows for ever",
        (_SEEN.format("entries_that_stay_are_passed_by"),),
    ),
    Bug(
        "stream",
        "processor.seen:SeenTable.forget_old",
        "< oldest",
        "> oldest",
        "entries in use are forgotten and silent ones kept for ever",
        (_SEEN.format("a_silent_payment_leaves_after_the_retention"),),
    ),
    Bug(
        "stream",
        "processor.seen:SeenTable.remember",
        "self._clock().timestamp()",
        "self._clock().timestamp() * 1000",
        "entries never become old: the table grows for ever",
        (_SEEN.format("a_silent_payment_leaves_after_the_retention"),),
    ),
    Bug(
        "stream",
        "processor.pipeline:run",
        "UNDER_WAY_MAX if len(batch) >= full else 1",
        "1",
        "no two batches are ever under way at once, however much waits",
        (_PIPELINE.format("the_next_batch_is_committed_while_one_is_published"),),
    ),
    Bug(
        "stream",
        "processor.pipeline:run",
        "await ours()",
        "await asyncio.sleep(0)",
        "a batch is committed before its partitions are taken over",
        (_PIPELINE.format("nothing_is_committed_while_partitions_are_taken_over"),),
    ),
    Bug(
        "stream",
        "processor.watchdog:Patience.is_over",
        "or look.progress != last.progress",
        "",
        ("a worker that recovers a large table is restarted in the middle of it, again and again"),
        (_WATCHDOG.format("whatever_moves_is_waited_for"),),
        servers=True,
    ),
    Bug(
        "stream",
        "processor.watchdog:Patience.is_over",
        "look.lag > 0 and",
        "",
        "an idle worker is restarted again and again",
        (_WATCHDOG.format("whatever_moves_is_waited_for"),),
        servers=True,
    ),
    Bug(
        "stream",
        "processor.watchdog:watch",
        "patience = Patience(patience_s) continue",
        "continue",
        "a worker is restarted as soon as the brokers are back, for the time they were away",
        (_WATCHDOG.format("it_waits_while_it_is_blind"),),
        servers=True,
    ),
    Bug(
        "stream",
        "processor.faust_internals.consumer:StrictConsumer._new_offset",
        "acked.difference_update([offset for offset in acked if offset < committed])",
        "acked.difference_update([offset for offset in acked if offset <= committed])",
        "the offset next to be committed is forgotten: nothing is committed any more",
        (_STRICT_CONSUMER.format("a_commit_that_was_refused_is_made_again"),),
    ),
    Bug(
        "stream",
        "processor.faust_internals.consumer:StrictConsumer._hand_on",
        "record.offset >= read",
        "record.offset > read",
        "a record is skipped after a seek back to it",
        (_STRICT_CONSUMER.format("what_was_read_before_is_not_handed_on_again"),),
    ),
    Bug(
        "stream",
        "processor.table_repair:mend",
        "mark.touch()",
        "pass",
        "after kill -9 a damaged table is not looked through, and the worker dies on it later",
        (_TABLE_REPAIR.format("damage_in_the_middle_is_found_after_an_unclean_end"),),
    ),
    Bug(
        "stream",
        "processor.table_repair:closed",
        "(tables / _MARK).unlink(missing_ok=True)",
        "pass",
        "every start reads the whole table, also after an end in good order",
        (_TABLE_REPAIR.format("damage_in_the_middle_is_found_after_an_unclean_end"),),
    ),
)
