"""What nobody foresaw, and how far it may reach: one payment, one record, one round of a loop.

Our own code, and the adapters it calls, can fail in ways that nobody thought of. Such an error must
never stop others. It is told apart from an outage (``RETRYABLE``), which passes by itself and is
nobody's fault: after one, the same is tried again, and nothing is quarantined.
"""

import asyncio
from typing import Final, TypeVar

import psycopg
from aiokafka.errors import KafkaError

from ports.errors import (
    BatchConflictError,
    FencedError,
    PublishError,
    StoreUnavailableError,
    TableFilesError,
)
from ports.texts import storable
from runtime.logs import get_logger
from runtime.tasks import is_cancelled

log = get_logger(__name__)
T = TypeVar("T")

#: Postgres, the brokers, the network or the disk are away, or another worker was faster.
RETRYABLE: Final = (
    StoreUnavailableError,
    BatchConflictError,
    PublishError,
    FencedError,
    TableFilesError,
    KafkaError,
    OSError,  # TimeoutError and ConnectionError are some
    psycopg.OperationalError,
    psycopg.InterfaceError,
)
#: What an adapter does takes no longer than that: it has shorter limits of its own.
ADAPTER_TIMEOUT_S: Final = 60.0


def must_propagate(error: BaseException) -> bool:
    """Whether it is an outage, or our own cancellation; everything else nobody foresaw."""
    if isinstance(error, asyncio.CancelledError):
        return is_cancelled()
    return isinstance(error, RETRYABLE) or not isinstance(error, Exception)


def describe_error(error: BaseException) -> str:
    """The error in words that can be stored, whatever it says of itself.

    Of Postgres' errors the message alone: their details repeat what is in the row.
    """
    try:
        message = getattr(getattr(error, "diag", None), "message_primary", None) or str(error)
        text = f"{type(error).__name__}: {message}"
    except Exception:  # noqa: BLE001  # an error may fail to say what it is, too
        text = type(error).__name__
    return storable(text)
