"""An outage is retried. Any other error belongs to one payment, record or round."""

import asyncio

import psycopg
import pytest
from aiokafka.errors import KafkaConnectionError

from ports.errors import (
    BatchConflictError,
    FencedError,
    PublishError,
    SnapshotTooLargeError,
    StoreUnavailableError,
    TableFilesError,
    UndecodableRecordError,
)
from ports.failures import describe_error, must_propagate
from ports.provider import ProviderUnavailableError

OUTAGES: list[BaseException] = [
    StoreUnavailableError(),
    BatchConflictError(),
    PublishError(),
    FencedError(),
    TableFilesError(),
    KafkaConnectionError(),
    ConnectionResetError(),
    TimeoutError(),
    psycopg.OperationalError(),
    psycopg.InterfaceError(),
]
OTHERS: list[BaseException] = [
    KeyError(),
    psycopg.DataError(),
    UndecodableRecordError(),
    SnapshotTooLargeError(),
    ProviderUnavailableError(),
    asyncio.CancelledError(),
]


def name(error: BaseException) -> str:
    """The error's class, as the test's ID."""
    return type(error).__name__


@pytest.mark.parametrize("error", OUTAGES, ids=name)
def test_an_outage_propagates(error: BaseException) -> None:
    """Contained as a defect, it would quarantine every payment of a batch."""
    assert must_propagate(error)


@pytest.mark.parametrize("error", OTHERS, ids=name)
def test_any_other_error_is_contained(error: BaseException) -> None:
    """One payment must not stop the others. Nobody cancelled this task."""
    assert not must_propagate(error)


@pytest.mark.parametrize("error", [SystemExit(1), KeyboardInterrupt()], ids=name)
def test_the_end_of_the_process_propagates(error: BaseException) -> None:
    """It is no error of a payment."""
    assert must_propagate(error)


class PostgresError(psycopg.DataError):
    """An error of the server, whose text repeats the row."""

    class diag:  # noqa: N801 -- psycopg's name
        """See ``psycopg.Error.diag``."""

        message_primary = "value too long"

    def __str__(self) -> str:
        return "value too long\nDETAIL: the client's own text"


def test_a_postgres_error_is_described_without_the_row() -> None:
    """The details repeat what a client sent; operators and logs get the message alone."""
    assert describe_error(PostgresError()) == "PostgresError: value too long"
