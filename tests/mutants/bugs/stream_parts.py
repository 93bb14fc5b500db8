"""Bugs of the stream's parts: dedup table, pipeline, use of Faust's internals."""

from typing import Final

from tests.mutants.planted import Bug

_DECODE: Final = "tests/processor/decisions/test_decode.py::test_{}"
_FAUST_INTERNALS: Final = "tests/processor/stream/test_faust_internals.py::test_{}"
_PIPELINE: Final = "tests/processor/stream/test_pipeline.py::test_{}"
_PRODUCE: Final = "tests/processor/messaging/test_batch_send.py::test_{}"
_DEDUP: Final = "tests/processor/stream/test_dedup_table.py::test_{}"
_STRICT_CONSUMER: Final = "tests/processor/stream/test_strict_consumer.py::test_{}"
_TABLE_REPAIR: Final = "tests/processor/stream/test_table_repair.py::test_{}"
_WATCHDOG: Final = "tests/processor/stream/test_watchdog.py::test_{}"

BUGS: Final = (
    Bug(
        "stream",
        "processor.stream.dedup_table:DedupTable._encode",
        "[-self._per_payment :]",
        "[: self._per_payment]",
        "the dedup table keeps the oldest event IDs and drops each new one",
        (_DEDUP.format("only_a_payments_latest_events_are_kept"),),
    ),
    Bug(
        "stream",
        "processor.stream.dedup_table:DedupTable.evict",
        'found[-1][0] if len(found) == CHECKED_PER_BATCH else b""',
        'b""',
        "only the first entries of a partition are ever checked: the table grows for ever",
        (_DEDUP.format("entries_that_stay_are_skipped"),),
    ),
    Bug(
        "stream",
        "processor.stream.dedup_table:DedupTable.evict",
        "< oldest",
        "> oldest",
        "entries in use are evicted, and silent ones stay for ever",
        (_DEDUP.format("a_silent_payment_is_evicted_after_the_retention"),),
    ),
    Bug(
        "stream",
        "processor.stream.dedup_table:DedupTable.add",
        "if position.partition != _partition(received):",
        "if False:",
        "a record with another partition's offset counts as read again, and has no outcome",
        (_DEDUP.format("an_event_of_another_partition_is_left_to_postgres"),),
    ),
    Bug(
        "stream",
        "processor.stream.dedup_table:DedupTable.add",
        "self._clock().timestamp()",
        "self._clock().timestamp() * 1000",
        "entries never become old: the table grows for ever",
        (_DEDUP.format("a_silent_payment_is_evicted_after_the_retention"),),
    ),
    Bug(
        "stream",
        "processor.stream.pipeline:run",
        "IN_FLIGHT_MAX if len(batch) >= full else 1",
        "1",
        "no two batches are ever in flight at once, however many records wait",
        (_PIPELINE.format("the_next_batch_is_committed_while_one_is_published"),),
    ),
    Bug(
        "stream",
        "processor.stream.pipeline:run",
        "await fenced()",
        "await asyncio.sleep(0)",
        "a batch is committed before its partitions are taken over",
        (_PIPELINE.format("nothing_is_committed_while_partitions_are_taken_over"),),
    ),
    Bug(
        "stream",
        "processor.stream.watchdog:StallDetector.is_stalled",
        "or observation.progress != last.progress",
        "",
        "a worker that recovers a large table is restarted during the recovery, again and again",
        (_WATCHDOG.format("any_progress_restarts_the_timeout"),),
        servers=True,
    ),
    Bug(
        "stream",
        "processor.stream.faust_internals.consumer:StrictConsumer._new_offset",
        "acked.difference_update([offset for offset in acked if offset < committed])",
        "acked.difference_update([offset for offset in acked if offset <= committed])",
        "the next offset to commit is removed: nothing is committed any more",
        (_STRICT_CONSUMER.format("a_refused_commit_is_repeated"),),
    ),
    Bug(
        "stream",
        "processor.stream.faust_internals.consumer:StrictConsumer._hand_on",
        "record.offset >= read",
        "record.offset > read",
        "a record is skipped after a seek back to it",
        (_STRICT_CONSUMER.format("a_record_that_was_read_before_is_not_handed_on_again"),),
    ),
    Bug(
        "stream",
        "processor.stream.faust_internals.batches:batches",
        "len(events) < size",
        "len(events) <= size",
        "a batch is larger than PAYMENTS_BATCH_SIZE allows",
        (_FAUST_INTERNALS.format("records_are_batched_in_order_stored_and_committed"),),
        servers=True,
    ),
    Bug(
        "stream",
        "processor.stream.faust_internals.batches:_is_taken",
        "is_stale or not app",
        "not app",
        "records from before a rebalance are processed by their former owner too",
        (_FAUST_INTERNALS.format("records_are_batched_in_order_stored_and_committed"),),
        servers=True,
    ),
    Bug(
        "stream",
        "processor.stream.faust_internals.table:PartitionedTable.walk",
        'entries.seek(after + b"\\0" if after else b"")',
        "entries.seek(after)",
        "each part of the walk through the table repeats the last entry",
        (_FAUST_INTERNALS.format("records_are_batched_in_order_stored_and_committed"),),
        servers=True,
    ),
    Bug(
        "stream",
        "processor.stream.faust_internals.table:PartitionedTable._sent",
        "first.offset + count - 1",
        "first.offset + count",
        "recovery skips a change of the table that it does not have",
        (_FAUST_INTERNALS.format("records_are_batched_in_order_stored_and_committed"),),
        servers=True,
    ),
    Bug(
        "stream",
        "processor.stream.table_repair:repair",
        "mark.touch()",
        "pass",
        "after kill -9 a damaged table is not checked, and the worker fails on it later",
        (_TABLE_REPAIR.format("damage_in_the_middle_is_found_after_an_unclean_shutdown"),),
    ),
    Bug(
        "stream",
        "processor.stream.table_repair:mark_clean_exit",
        "(tables / _MARK).unlink(missing_ok=True)",
        "pass",
        "every start reads the whole table, also after a clean shutdown",
        (_TABLE_REPAIR.format("damage_in_the_middle_is_found_after_an_unclean_shutdown"),),
    ),
    Bug(
        "stream",
        "decisions.dead_letters:_outgoing",
        "str(position.offset)",
        "str(position.partition)",
        "a dead letter has the position of another record",
        (_DECODE.format("a_dead_letter_is_published_unchanged"),),
    ),
    Bug(
        "stream",
        "messaging.batch_send:send_in_batches",
        "batch = producer.create_batch() _append(batch, record)",
        "batch = producer.create_batch()",
        "a record that no longer fits in a batch is lost",
        (_PRODUCE.format("all_records_arrive_in_order_in_a_few_batches"),),
        servers=True,
    ),
)
