"""Bugs of the consumer in Python."""

from typing import Final

from tests.mutants.planted import Bug

_DELIVERIES: Final = "tests/service/examples/test_deliveries.py::test_{}[python]"
_CONSUMER: Final = "examples.python_consumer.consumer:{}"

BUGS: Final = (
    Bug(
        "examples",
        _CONSUMER.format("PUT_PAYMENT"),
        "where excluded.version >= payments.version",
        "where true",
        "a version that is delivered again replaces a newer one",
        (_DELIVERIES.format("an_older_version_never_replaces_a_newer_one"),),
        servers=True,
    ),
    Bug(
        "examples",
        _CONSUMER.format("PUT_PAYMENT"),
        "excluded.version >= payments.version",
        "excluded.version > payments.version",
        "the table does not show that a quarantine began",
        (_DELIVERIES.format("of_two_records_of_one_version_the_later_one_counts"),),
        servers=True,
    ),
    Bug(
        "examples",
        _CONSUMER.format("PUT_OPERATION"),
        "where operations.status = 'applied' and excluded.status <> 'applied'",
        "where true",
        "an operation that is done becomes applied again",
        (_DELIVERIES.format("an_operation_keeps_its_last_status"),),
        servers=True,
    ),
    Bug(
        "examples",
        _CONSUMER.format("subscribed"),
        '"isolation.level": "read_committed"',
        '"isolation.level": "read_uncommitted"',
        "what a fenced worker left half written is in the table",
        (_DELIVERIES.format("what_was_aborted_is_never_in_the_table"),),
        servers=True,
    ),
    Bug(
        "examples",
        _CONSUMER.format("take"),
        "with table:",
        "consumer.commit(asynchronous=False)\n    with table:",
        "what was not written before a crash never comes again",
        (_DELIVERIES.format("what_could_not_be_written_comes_again"),),
        servers=True,
    ),
)
