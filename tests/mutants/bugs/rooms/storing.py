"""Bugs of partitions, of what a batch publishes, and of a payment with many refunds."""

from typing import Final

from tests.mutants.planted import Bug

_PARTITIONS: Final = "tests/processor/postgres/test_partitions.py::test_{}"
_RETENTION: Final = "tests/processor/worker/test_retention.py::test_{}"
_MANY: Final = "tests/processor/decisions/test_many_refunds.py::test_{}"
_ONE_STATEMENT: Final = "tests/processor/postgres/test_one_statement.py::test_{}"

BUGS: Final = (
    Bug(
        "sql",
        "postgres.partitions:_drop_of",
        "quarter.next.start <= before",
        "quarter.start <= before",
        "a partition is dropped as soon as its first rows are old",
        (_RETENTION.format("old_history_is_deleted_and_the_payment_stays"),),
        servers=True,
    ),
    Bug(
        "sql",
        "postgres.partitions:_drop_of",
        "_DROP_BUT_KEEP if table is INBOX else _DROP",
        "_DROP",
        "what waits for an operator is dropped with its partition",
        (_PARTITIONS.format("dropping_a_quarter_returns_its_disk"),),
        servers=True,
    ),
    Bug(
        "sql",
        "postgres.partitions:make_ahead",
        "quarter, quarter.next",
        "quarter, quarter",
        "the rows of a new quarter begin in the rest, and are moved under a lock",
        (_PARTITIONS.format("the_next_partition_is_made_ahead"),),
        servers=True,
    ),
    Bug(
        "sql",
        "postgres.partitions:drop_partitions",
        "with suppress(*_TOO_LONG):",
        "with suppress(KeyError):",
        "a table that stays locked ends the worker's loop",
        (_PARTITIONS.format("a_locked_table_is_left_for_the_next_time"),),
        servers=True,
    ),
    Bug(
        "sql",
        "postgres.batch.statements:INSERT_DUPLICATES",
        """and not exists (select from duplicates d where d.topic = n.topic
                        and d.partition = n.partition and d."offset" = n."offset")""",
        "",
        "a duplicate that is redelivered in the next quarter is recorded twice",
        (_PARTITIONS.format("an_event_is_known_in_every_partition"),),
        servers=True,
    ),
    Bug(
        "stream",
        "ports.batch:WriteSet.published",
        "v.payment.parts <= PARTS_MAX or",
        "",
        "of an ordinary payment's versions, only a batch's last one is published",
        (_MANY.format("every_version_of_an_ordinary_payment_is_published"),),
    ),
    Bug(
        "domain",
        "domain.facts.refunds:differing",
        "if reported is not now:",
        "if True:",
        "each webhook compares every refund of its payment",
        (_MANY.format("an_input_looks_at_the_refunds_that_it_changes"),),
    ),
    Bug(
        "domain",
        "domain.facts.refunds:with_reported",
        "at if find_reported(payment, made.ref) is None else at + 1",
        "at",
        "a refund that is reported again is there twice",
        ("tests/domain/test_histories.py",),
    ),
    Bug(
        "sql",
        "postgres.stores:for_one_statement",
        "finally: await connection.set_autocommit(False)",
        "finally: pass",
        "the next user of a connection has no transaction",
        (_ONE_STATEMENT.format("the_next_user_of_the_connection_has_a_transaction"),),
        servers=True,
    ),
)
