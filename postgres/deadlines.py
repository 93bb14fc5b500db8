"""Timeouts of connections to Postgres. A server may accept a statement and never answer.

The system's own timeout (``tcp_user_timeout``) ends connections to machines that confirm nothing.
If the machine confirms and its server hangs, only the client can notice. So every wait for the
server has a timeout here, after which the connection is closed.
"""

from collections.abc import Mapping
from typing import Any, Final, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.errors import _WaitTimeout

T = TypeVar("T")

#: Timeout of connecting, in seconds, also when the server accepts and then stays silent.
CONNECT_WITHIN_S: Final = 5
#: After this without confirmation by the other machine, the connection is lost.
VANISHED_AFTER_MS: Final = 10_000
#: Timeout of one statement of a server program; the largest batch takes a small part of it.
SERVING_S: Final = 30.0
#: Timeout of one statement of an operator's command, which may read whole tables.
OPERATING_S: Final = 1_800.0
#: How often psycopg checks whether something else ends the wait, in seconds.
_POLL_S: Final = 0.1
#: How every connection is made.
CONNECTING: Final[Mapping[str, Any]] = {
    "connect_timeout": CONNECT_WITHIN_S,
    "tcp_user_timeout": VANISHED_AFTER_MS,
}


class ServingConnection(psycopg.AsyncConnection[Any]):
    """A connection that waits for no statement longer than ``answer_within_s``.

    Then it raises psycopg.OperationalError and is closed: the statement's fate is unknown.
    """

    answer_within_s = SERVING_S

    async def wait(
        self,
        gen: PQGen[T],
        interval: float = _POLL_S,
        timeout: float | None = None,  # noqa: ASYNC109  # psycopg's own name for it
    ) -> T:
        """See psycopg's."""
        within_s = self.answer_within_s if timeout is None else timeout
        try:
            return await super().wait(gen, interval, within_s)
        except _WaitTimeout as error:
            if timeout is not None:
                raise  # psycopg's own, which it handles
            self.pgconn.finish()
            raise _silent(within_s) from error


class OperatingConnection(ServingConnection):
    """The same, with an operator command's timeout."""

    answer_within_s = OPERATING_S


class BlockingConnection(psycopg.Connection[Any]):
    """The same for code that blocks: migrations, and the ranges of an audit."""

    answer_within_s = OPERATING_S

    def wait(self, gen: PQGen[T], interval: float = _POLL_S, timeout: float | None = None) -> T:
        """See psycopg's."""
        within_s = self.answer_within_s if timeout is None else timeout
        try:
            return super().wait(gen, interval, within_s)
        except _WaitTimeout as error:
            if timeout is not None:
                raise  # psycopg's own, which it handles
            self.pgconn.finish()
            raise _silent(within_s) from error


def _silent(within_s: float) -> psycopg.OperationalError:
    return psycopg.OperationalError(f"no answer to a statement within {within_s:g} s")
