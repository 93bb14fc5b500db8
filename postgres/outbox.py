"""The outbox: due provider calls are claimed, and their outcomes recorded."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from psycopg import AsyncConnection

from ports.work_items import ClaimedCall
from postgres.documents import decode_call

Connection = AsyncConnection[tuple[Any, ...]]

#: A claimed row is due again when its lease is over: the worker may have died. A row that was never
#: claimed is due at any time: the clock of the host that wrote it may be ahead.
CLAIM: Final = """
    with due as (
        select call_key from provider_calls
        where state = 'due' and (next_attempt_at <= %(now)s or attempts = 0)
            and provider = any(%(providers)s)
        order by next_attempt_at limit %(limit)s for update skip locked)
    update provider_calls c set attempts = attempts + 1, next_attempt_at = %(lease_until)s,
        key_first_used_at = coalesce(key_first_used_at, %(now)s)
    from due where c.call_key = due.call_key
    returning c.request::text, c.attempts, c.key_generation, c.key_first_used_at, c.created_at"""

#: These statements affect the newest claim alone, identified by its number of attempts: a worker
#: whose lease has ended changes nothing.
RENEW: Final = """
    update provider_calls set next_attempt_at = %(lease_until)s
    where call_key = %(key)s and state = 'due' and attempts = %(attempts)s"""

FINISH: Final = """
    update provider_calls set state = 'done', outcome = %(outcome)s, done_at = %(now)s
    where call_key = %(key)s and state = 'due' and attempts = %(attempts)s"""

RETRY: Final = """
    update provider_calls set next_attempt_at = %(at)s, last_error = %(error)s
    where call_key = %(key)s and state = 'due' and attempts = %(attempts)s"""

RETRY_WITH_NEW_KEY: Final = """
    update provider_calls set next_attempt_at = %(at)s, last_error = %(error)s,
        key_generation = key_generation + 1, key_first_used_at = null
    where call_key = %(key)s and state = 'due' and attempts = %(attempts)s
        and key_generation = %(generation)s"""


async def claim(
    connection: Connection,
    providers: Sequence[str],
    limit: int,
    now: datetime,
    lease_until: datetime,
) -> list[ClaimedCall]:
    """Claims due calls until ``lease_until``."""
    cursor = await connection.execute(
        CLAIM,
        {
            "now": now,
            "providers": list(providers),
            "limit": limit,
            "lease_until": lease_until,
        },
    )
    return [
        ClaimedCall(
            call=decode_call(request),
            attempts=attempts,
            generation=generation,
            key_first_used_at=key_first_used_at,
            created_at=created_at,
        )
        for request, attempts, generation, key_first_used_at, created_at in await cursor.fetchall()
    ]


async def renew(connection: Connection, claimed: ClaimedCall, lease_until: datetime) -> bool:
    """Extends the claim. Returns whether it was still this worker's."""
    cursor = await connection.execute(RENEW, {**_claim(claimed), "lease_until": lease_until})
    return cursor.rowcount > 0


async def finish(connection: Connection, claimed: ClaimedCall, outcome: str, now: datetime) -> bool:
    """Ends a call whose result is published. Returns whether it was still this worker's."""
    cursor = await connection.execute(FINISH, {**_claim(claimed), "outcome": outcome, "now": now})
    return cursor.rowcount > 0


async def retry(connection: Connection, claimed: ClaimedCall, at: datetime, error: str) -> bool:
    """Makes the call due again under the same key. Returns whether it was this worker's."""
    cursor = await connection.execute(RETRY, {**_claim(claimed), "at": at, "error": error})
    return cursor.rowcount > 0


async def retry_with_new_key(
    connection: Connection, claimed: ClaimedCall, at: datetime, error: str
) -> bool:
    """Makes a call that certainly did not happen due again, under its next key.

    Returns whether the claim was still held.
    """
    cursor = await connection.execute(
        RETRY_WITH_NEW_KEY,
        {**_claim(claimed), "at": at, "error": error, "generation": claimed.generation},
    )
    return cursor.rowcount > 0


def _claim(claimed: ClaimedCall) -> dict[str, Any]:
    return {"key": claimed.call.key, "attempts": claimed.attempts}
