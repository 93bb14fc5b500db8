"""Which worker leads: the one whose connection to Postgres owns a lock. The others follow."""

import asyncio
from typing import Any, Final, Protocol

import psycopg

from ports.failures import ADAPTER_TIMEOUT_S
from postgres.deadlines import CONNECTING, ServingConnection
from postgres.routing import LEAD
from runtime.heartbeat import Heartbeat, unmonitored_heartbeat
from runtime.jitter import jittered
from runtime.logs import get_logger
from runtime.tasks import with_timeout

log = get_logger(__name__)

#: The leader's advisory lock. Its connection owns it until the connection ends.
LEADER_LOCK: Final = 7_236_120_572
#: Seconds between two checks whether the lock is owned, or free.
CHECK_EVERY_S: Final = 2.0
#: Seconds after which a leader that could not check its lock ceases to lead.
CONFIRMED_FOR_S: Final = 15.0


class Leadership(Protocol):
    """Whether this process leads; it changes while ``run`` runs."""

    @property
    def is_held(self) -> bool:
        """Whether this process leads now."""
        ...

    async def run(self) -> None:
        """Takes and keeps the leadership until cancelled."""
        ...


class PostgresLeadership:
    """A ``Leadership`` by an advisory lock.

    Args:
        database_url: Postgres, for the leader's own connection.
        heartbeat: beaten at each check.
        every_s: seconds between two checks.
    """

    def __init__(
        self,
        database_url: str,
        heartbeat: Heartbeat | None = None,
        every_s: float = CHECK_EVERY_S,
    ) -> None:
        self._database_url = database_url
        self._heartbeat = heartbeat or unmonitored_heartbeat()
        self._every_s = every_s
        self._confirmed_at: float | None = None

    @property
    def is_held(self) -> bool:
        """See ``Leadership.is_held``."""
        confirmed_at = self._confirmed_at
        return confirmed_at is not None and _now() < confirmed_at + CONFIRMED_FOR_S

    async def run(self) -> None:
        """See ``Leadership.run``."""
        while True:
            try:
                connecting = ServingConnection.connect(
                    self._database_url, autocommit=True, **CONNECTING
                )
                async with await with_timeout(ADAPTER_TIMEOUT_S, connecting) as connection:
                    await self._lead(connection)
            except (psycopg.OperationalError, TimeoutError):
                log.exception("leader.connection_failed")
            finally:
                self._confirmed_at = None
            await self._rest()

    async def _lead(self, connection: psycopg.AsyncConnection[Any]) -> None:
        """Returns once this connection does not own the lock."""
        while True:
            asked_at = _now()
            cursor = await with_timeout(ADAPTER_TIMEOUT_S, connection.execute(LEAD, [LEADER_LOCK]))
            row = await cursor.fetchone()
            if row is None or not row[0]:
                return
            self._confirmed_at = asked_at
            await self._rest()

    async def _rest(self) -> None:
        rest_s = jittered(self._every_s)
        self._heartbeat.beat(rest_s)
        await asyncio.sleep(rest_s)


def _now() -> float:
    return asyncio.get_running_loop().time()
