"""What nobody foresaw, and how far it may reach: one payment, one record, one round of a loop.

Our own code, and the adapters it calls, can fail in ways that nobody thought of. Such an error must
never stop others. It is told apart from an outage (``RETRYABLE``), which passes by itself and is
nobody's fault: after one, the same is tried again, and nothing is quarantined.
"""

import asyncio
import logging
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

import psycopg
from aiokafka.errors import KafkaError

from processor.errors import (
    BatchConflictError,
    FencedError,
    PublishError,
    StoreUnavailableError,
    TableFilesError,
)
from processor.texts import storable

log = logging.getLogger(__name__)
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
ADAPTER_S: Final = 60.0
#: What an adapter may raise. A CancelledError can be its own; see ``is_cancelled``.
RAISED: Final = (Exception, asyncio.CancelledError)


def is_cancelled() -> bool:
    """Whether somebody cancelled the running task: then a CancelledError has to be passed on."""
    try:
        task = asyncio.current_task()
    except RuntimeError:
        return False  # no loop, so no task that could be cancelled
    return task is not None and task.cancelling() > 0


def is_to_be_passed_on(error: BaseException) -> bool:
    """Whether it is an outage, or our own cancellation; everything else nobody foresaw."""
    if isinstance(error, asyncio.CancelledError):
        return is_cancelled()
    return isinstance(error, RETRYABLE) or not isinstance(error, Exception)


def described(error: BaseException) -> str:
    """The error in words that can be stored, whatever it says of itself.

    Of Postgres' errors the message alone: their details repeat what is in the row.
    """
    try:
        message = getattr(getattr(error, "diag", None), "message_primary", None) or str(error)
        text = f"{type(error).__name__}: {message}"
    except Exception:  # noqa: BLE001  # an error may fail to say what it is, too
        text = type(error).__name__
    return storable(text)


@contextmanager
def never_failing(what: str) -> Iterator[None]:
    """For what nothing depends on, such as counting; nothing in the block may be awaited."""
    try:
        yield
    except RAISED:
        log.exception("unforeseen what=%s: it is left out", what)


async def within(seconds: float, what: Awaitable[T]) -> T:
    """What an adapter answers. Raises TimeoutError where it does not in time.

    A CancelledError of its own becomes a RuntimeError: nobody cancelled us.
    """
    try:
        async with asyncio.timeout(seconds):
            return await what
    except asyncio.CancelledError as error:
        if is_cancelled():
            raise
        raise RuntimeError(
            "an adapter raised CancelledError, though nobody cancelled it"
        ) from error
