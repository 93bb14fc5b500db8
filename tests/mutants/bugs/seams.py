"""Bugs at the interfaces to Kafka, the brokers and the clock."""

from typing import Final

from tests.mutants.planted import Bug

_STRICT: Final = "tests/processor/stream/test_strict_consumer.py::{}"
_EARLIER_RELEASE: Final = (
    "tests/processor/postgres/test_snapshot_size.py"
    "::test_a_too_large_version_of_an_earlier_release_stops_no_worker"
)

BUGS: Final = (
    Bug(
        "stream",
        "messaging.kafka_internals.records:TolerantRecords._skip_to",
        "if self._reports_gaps:",
        "if True:",
        "a reader that reports no gaps gets one, and fails",
        (
            "tests/processor/messaging/test_kafka_records.py::test_a_reader_that_reports_no_gaps_returns_only_records",
        ),
    ),
    Bug(
        "stream",
        "processor.stream.faust_internals.consumer:StrictConsumer._new_offset",
        "not acked or",
        "",
        "a quiet partition counts as a missed record: the worker restarts",
        (
            "tests/processor/stream/test_strict_consumer.py::test_in_a_quiet_partition_nothing_is_missed",
        ),
    ),
    Bug(
        "stream",
        "messaging.kafka_internals.records:TolerantRecords._should_refetch",
        "count + 1 if first == self.next_fetch_offset else 1",
        "count + 1",
        "the second damaged batch is given up at its first fetch, though it may be readable",
        (
            "tests/processor/messaging/test_kafka_records.py::test_each_damaged_batch_has_its_own_fetch_attempts",
        ),
    ),
    Bug(
        "stream",
        "processor.stream.faust_internals.consumer:StrictConsumer._new_offset",
        "if offset < committed]:",
        "if offset <= committed]:",
        "the next marker to commit is removed: nothing is committed any more",
        (
            "tests/processor/stream/test_strict_consumer.py::test_offsets_without_a_record_are_committed_again_after_a_refusal",
        ),
    ),
    Bug(
        "stream",
        "decisions.dead_letters:_came_with",
        "+ _HEADER_BYTES",
        "+ 0",
        "a dead letter of many empty headers exceeds the brokers' limit",
        (
            "tests/processor/decisions/test_dead_letter_sizes.py::test_headers_leave_room_for_key_and_value",
        ),
        servers=True,
    ),
    Bug(
        "stream",
        "processor.stream.faust_internals.consumer:StrictConsumer._look_for",
        "elif committed is not None:",
        "else:",
        "a worker of a group without committed offsets restarts again and again",
        (_STRICT.format("test_without_a_committed_offset_nothing_is_missed"),),
    ),
    Bug(
        "stream",
        "processor.stream.faust_internals.consumer:StrictConsumer._look_for",
        "if first > offset:",
        "if False:",
        "after the brokers deleted unread records, the worker restarts for ever",
        (_STRICT.format("test_records_that_were_deleted_are_not_waited_for"),),
    ),
    Bug(
        "stream",
        "processor.stream.faust_internals.consumer:StrictConsumer._new_offset",
        "or not self.flow_active",
        "",
        "a long rebalance counts as a missed record: the worker restarts",
        (
            "tests/processor/stream/test_strict_consumer.py::test_nothing_is_missed_while_nothing_is_read",
        ),
    ),
    Bug(
        "stream",
        "processor.stream.faust_internals.consumer:StrictConsumer._new_offset",
        "self._acked[tp].clear()",
        "str(tp)",
        "Faust's own list of offsets grows without end",
        (
            "tests/processor/stream/test_strict_consumer.py::test_offsets_without_a_record_are_committed_again_after_a_refusal",
        ),
    ),
    Bug(
        "worker",
        "processor.worker.calls.lease:Lease._renew_once",
        "is_ours is False or",
        "",
        "a call continues although another worker has its lease",
        ("tests/processor/worker/test_lease.py::test_a_lost_lease_ends_the_work",),
    ),
    Bug(
        "stream",
        "messaging.transactional_publisher:_raise_worst",
        "ProducerFenced | InvalidProducerEpoch",
        "ProducerFenced",
        "a fenced worker retries its publication for minutes instead of ending",
        (
            "tests/processor/messaging/test_transactional_publisher.py::test_either_error_of_a_newer_owner_fences_the_worker",
        ),
    ),
    Bug(
        "stream",
        "messaging.kafka_internals.records:TolerantRecords._records_of",
        "self._check_crcs and not batch.validate_crc()",
        "False",
        "a batch that the network damaged is accepted",
        (
            "tests/processor/messaging/test_kafka_records.py::test_a_wrong_checksum_is_fetched_again_and_then_unreadable",
        ),
    ),
    Bug(
        "stream",
        "messaging.kafka_internals.records:TolerantRecords._records_of",
        "if record.offset > self.next_fetch_offset:",
        "if False:",
        "an offset that compaction removed is waited for: the worker restarts for ever",
        (
            "tests/processor/messaging/test_kafka_records.py::test_offsets_without_a_record_are_reported",
        ),
    ),
    Bug(
        "stream",
        "messaging.kafka_internals.records:TolerantRecords._should_refetch",
        "count < FETCH_ATTEMPTS",
        "count <= 1000000",
        "a damaged batch is fetched for ever: its partition makes no progress",
        (
            "tests/processor/messaging/test_kafka_records.py::test_a_wrong_checksum_is_fetched_again_and_then_unreadable",
        ),
    ),
    Bug(
        "stream",
        "messaging.kafka_internals.records:TolerantRecords._unreadable",
        "min(_stop(batch), self._end)",
        "_stop(batch)",
        "a damaged header makes a million dead letters of missing offsets",
        (
            "tests/processor/messaging/test_kafka_records.py::test_a_batch_with_a_wrong_last_offset_ends_where_the_partition_does",
        ),
    ),
    Bug(
        "stream",
        "processor.stream.faust_internals.consumer:StrictConsumer._new_offset",
        "if tp not in self.assignment():",
        "if False:",
        "offsets of a revoked partition are committed for its new owner",
        (
            "tests/processor/stream/test_strict_consumer.py::test_a_record_of_a_revoked_partition_is_not_missed",
        ),
    ),
    Bug(
        "stream",
        "processor.stream.faust_internals.consumer:StrictConsumer._new_offset",
        "return end if end > committed else None",
        "return end",
        "the same offset is committed again and again",
        (
            "tests/processor/stream/test_strict_consumer.py::test_offsets_acknowledged_without_a_gap_are_committed",
        ),
    ),
    Bug(
        "stream",
        "processor.stream.faust_internals.recovery:take_in",
        "if record.is_last else end",
        "",
        "offsets within the changelog that hold no record are handed to Faust",
        (
            "tests/processor/stream/test_table_recovery.py::test_a_changelog_with_unusable_records_is_recovered_to_its_end",
        ),
    ),
    Bug(
        "stream",
        "processor.stream.faust_internals.recovery:take_in",
        "or isinstance(record.value, Unreadable)",
        "",
        "a damaged changelog record becomes a payment's newest entry",
        (
            "tests/processor/stream/test_table_recovery.py::test_a_changelog_with_unusable_records_is_recovered_to_its_end",
        ),
    ),
    Bug(
        "stream",
        "decisions.dead_letters:_came_with",
        "if room < 0: break",
        "if False:\n            break",
        "a dead letter with too many headers is refused by the brokers: the batch is stuck",
        (
            "tests/processor/decisions/test_dead_letter_sizes.py::test_a_dead_letter_fits_and_names_what_is_left_out",
        ),
        servers=True,
    ),
    Bug(
        "ops",
        "runtime.health:not_ready",
        "and snapshot.unchanged_s <= GRACE_S",
        "",
        "a worker that lost its partitions for good stays ready for ever",
        ("tests/hostile/test_health_server.py::test_alive_and_ready",),
    ),
    Bug(
        "ops",
        "runtime.health:not_ready",
        '["the event loop is stalled"]',
        "[]",
        "a program whose event loop is stalled is ready",
        ("tests/hostile/test_health_server.py::test_a_stalled_event_loop_fails_both_probes",),
    ),
    Bug(
        "worker",
        "processor.worker.calls.lease:Lease._renew_once",
        "or loop.time() >= self._until",
        "",
        "without Postgres a call continues after its lease, while another worker makes it too",
        ("tests/processor/worker/test_lease.py::test_a_lease_that_cannot_be_renewed_is_lost",),
    ),
    Bug(
        "ops",
        "schemas.postgres_url:checked",
        '"user", "dbname"',
        '"user"',
        "a password that is read as a database name is shown in every error",
        ("tests/hostile/test_secrets.py::test_the_error_for_a_malformed_url_does_not_show_it",),
    ),
    Bug(
        "stream",
        "ports.failures:must_propagate",
        "return is_cancelled()",
        "return True",
        "an adapter's own CancelledError ends the worker instead of quarantining one payment",
        ("tests/hostile/test_stream_seams.py::test_metrics_and_dedup_failures_stop_no_payment",),
        servers=True,
    ),
    Bug(
        "stream",
        "processor.stream.batch:BatchProcessor._send",
        "out -= await self._publish_apart(published)",
        "await self._publish_apart(published)",
        "a version that our code failed to publish is marked as published",
        (
            "tests/hostile/test_stream_seams.py::test_a_payment_that_cannot_be_published_blocks_no_other",
        ),
        servers=True,
    ),
    Bug(
        "stream",
        "processor.stream.batch:BatchProcessor._send",
        "lambda: self._store.quarantine_unpublishable(too_large, self._clock())",
        "lambda: asyncio.sleep(0)",
        "a payment whose version can't be published is not quarantined",
        (_EARLIER_RELEASE,),
        servers=True,
    ),
    Bug(
        "stream",
        "decisions.decode_failure:unforeseen",
        "failure=error,",
        "",
        "a record that our code failed to read is ignored instead of quarantined",
        (
            "tests/hostile/test_stream_seams.py::test_a_payment_is_quarantined_and_released_after_the_fix",
        ),
        servers=True,
    ),
    Bug(
        "stream",
        "messaging.kafka_internals.records:TolerantRecords._records_of",
        "record.offset < self.next_fetch_offset",
        "False",
        "records before a reader's start offset are read again",
        (
            "tests/processor/messaging/test_kafka_records.py::test_a_header_name_that_is_not_utf8_is_replaced",
        ),
    ),
    Bug(
        "stream",
        "messaging.kafka_internals.records:TolerantRecords._skip_to",
        "is_last=offset >= self._end",
        "is_last=True",
        "a table's recovery ends before the changelog's end",
        (
            "tests/processor/messaging/test_kafka_records.py::test_offsets_without_a_record_are_reported",
        ),
    ),
    Bug(
        "stream",
        "messaging.kafka_internals.records:TolerantRecords._unreadable",
        'batch if offset == first else b""',
        "batch",
        "each offset of a damaged batch has all of its bytes",
        (
            "tests/processor/messaging/test_kafka_records.py::test_a_wrong_checksum_is_fetched_again_and_then_unreadable",
        ),
    ),
    Bug(
        "stream",
        "processor.stream.faust_internals.consumer:StrictConsumer._new_offset",
        "while end in acked or end in absent:",
        "while end in acked:",
        "a transaction marker stops the commits for good",
        (
            "tests/processor/stream/test_strict_consumer.py::test_offsets_without_a_record_are_committed_past",
        ),
    ),
    Bug(
        "stream",
        "processor.stream.faust_internals.recovery:take_in",
        "record.key is None or",
        "",
        "a changelog record without a key ends the recovery, again and again",
        (
            "tests/processor/stream/test_table_recovery.py::test_a_changelog_with_unusable_records_is_recovered_to_its_end",
        ),
    ),
    Bug(
        "stream",
        "processor.stream.faust_internals.recovery:take_in",
        "record.stop - 1",
        "record.stop",
        "recovery waits for an offset that does not exist",
        (
            "tests/processor/stream/test_table_recovery.py::test_a_changelog_with_unusable_records_is_recovered_to_its_end",
        ),
    ),
    Bug(
        "ops",
        "runtime.health:not_ready",
        "snapshot.was_operational and",
        "",
        "a worker that never had a partition is ready, and a deployment goes on",
        ("tests/hostile/test_health_server.py::test_alive_and_ready",),
    ),
    Bug(
        "ops",
        "runtime.health:not_ready",
        "silent_s > SILENT_S",
        "silent_s > 0",
        "every pause between two polls makes the program unready",
        ("tests/hostile/test_health_server.py::test_alive_and_ready",),
    ),
    Bug(
        "worker",
        "processor.worker.calls.lease:Lease._renew_once",
        "self._until = began + self._lease_s",
        "str(began)",
        "every call longer than its lease is cancelled, though the lease was renewed",
        ("tests/processor/worker/test_lease.py::test_a_renewal_may_fail_while_the_lease_lasts",),
    ),
    Bug(
        "ops",
        "schemas.postgres_url:checked",
        '("host", "hostaddr",',
        '("hostaddr",',
        "a password with an @ becomes part of the host, and is shown in every error",
        ("tests/hostile/test_secrets.py::test_the_error_for_a_malformed_url_does_not_show_it",),
    ),
    Bug(
        "ops",
        "schemas.postgres_url:checked",
        "if not _PORTS.fullmatch(ports) or any(",
        "if any(",
        "a password that is read as a port is shown in every error",
        ("tests/hostile/test_secrets.py::test_the_error_for_a_malformed_url_does_not_show_it",),
    ),
    Bug(
        "stream",
        "processor.stream.batch:BatchProcessor._send",
        "out -= {each.publication_id for each in too_large}",
        "str(out)",
        "a version that could not be published is marked as published",
        (_EARLIER_RELEASE,),
        servers=True,
    ),
    Bug(
        "stream",
        "processor.stream.batch:BatchProcessor._send",
        "published = [each for each in published if each not in too_large]",
        "pass",
        "one version that is too large stops the publication of the whole batch",
        (_EARLIER_RELEASE,),
        servers=True,
    ),
)
