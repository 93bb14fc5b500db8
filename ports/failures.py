"""Retryable errors, the only lists of them, and how every other error is contained.

An outage passes by itself: the same step is tried again, and nothing is quarantined. Every other
error is unforeseen: a defect of ours or of an adapter. It stops one payment, one record or one
round of a loop, and never the others.
"""

import asyncio
from typing import Final, TypeVar

import psycopg
from aiokafka.errors import KafkaError

from ports.errors import (
    BatchConflictError,
    FencedError,
    ProcessorError,
    PublishError,
    StoreUnavailableError,
    TableFilesError,
    TopicsNotReadyError,
)
from ports.provider import ProviderUnavailableError
from ports.texts import storable
from runtime.logs import get_logger
from runtime.tasks import is_cancelled

log = get_logger(__name__)
T = TypeVar("T")

#: Any outage. The containment of unforeseen errors (``must_propagate``) and the worker's loops use
#: it; it is the widest list, because an outage must never be mistaken for a payment's defect.
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
#: The stream decides the same batch again after these. Errors of the brokers are not among them:
#: after one the producers are unusable, so the worker restarts.
RETRYABLE_IN_BATCH: Final = (StoreUnavailableError, BatchConflictError)
#: The reconciler logs these without a traceback and goes on with the next sweep. A provider's
#: outage is in this list alone: the dispatcher handles it per call.
RETRYABLE_IN_SWEEP: Final = (ProviderUnavailableError, PublishError, StoreUnavailableError)
#: A program that ends with one of these asks to be started again. Of the network's errors only two
#: are in it: any other OSError at start-up, such as a folder it may not write to, needs a person.
RETRYABLE_AT_START: Final = (
    KafkaError,
    psycopg.OperationalError,
    StoreUnavailableError,
    PublishError,
    ConnectionError,
    TimeoutError,
)
#: What a Kafka client raises while the brokers are unavailable.
BROKERS_UNAVAILABLE: Final = (KafkaError, OSError)
#: The producer connects again after these. Topics that are missing may be created meanwhile.
RETRYABLE_ON_CONNECT: Final = (*BROKERS_UNAVAILABLE, TopicsNotReadyError)
#: The longest that one call of an adapter may take; adapters have shorter limits of their own.
ADAPTER_TIMEOUT_S: Final = 60.0


def must_propagate(error: BaseException) -> bool:
    """Whether the caller must re-raise: an outage, or this task's own cancellation."""
    if isinstance(error, asyncio.CancelledError):
        return is_cancelled()
    return isinstance(error, RETRYABLE) or not isinstance(error, Exception)


def name_defect(error: BaseException) -> str:
    """Returns the reason of a dead letter on which our own code failed.

    It has the text of an error of our own, but of no other: that may repeat a part of the record.
    """
    what = describe_error(error) if isinstance(error, ProcessorError) else type(error).__name__
    return f"our own code failed: {what}"


def describe_error(error: BaseException) -> str:
    """Returns the error as text that Postgres can store. Never raises.

    Of a Postgres error it has the primary message alone: the details repeat the row.
    """
    try:
        message = getattr(getattr(error, "diag", None), "message_primary", None) or str(error)
        text = f"{type(error).__name__}: {message}"
    except Exception:  # noqa: BLE001  # str() of an error may raise
        text = type(error).__name__
    return storable(text)
