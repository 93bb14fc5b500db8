"""The outbox: due provider calls are claimed, and their outcomes recorded."""

from datetime import UTC, datetime
from typing import Any, Final

from psycopg import AsyncConnection

from ports.work_items import ClaimedCall, LookUpShare
from postgres.documents import decode_call

Connection = AsyncConnection[tuple[Any, ...]]
#: Before any key was used.
_NEVER: Final = datetime.min.replace(tzinfo=UTC)

#: A claimed row is due again when its lease is over: the worker may have died. A row that was never
#: claimed is due at any time: the clock of the host that wrote it may be ahead. Each of the two has
#: its own index, so that calls in back-off cost a claim nothing. Those that would be looked up are
#: claimed apart, up to their share, so that many of them hold no call up. The error of the last try
#: leaves with the claim: so a call that was tried, has no error and is not due yet is in flight.
CLAIM: Final = """
    with again as (
        select call_key, next_attempt_at from provider_calls
        where state = 'due' and attempts > 0 and provider = %(provider)s
            and next_attempt_at <= %(now)s
            and coalesce(key_first_used_at, 'infinity') > %(forgotten_since)s
        order by next_attempt_at limit %(limit)s for update skip locked),
    looked_up as (
        select call_key, next_attempt_at from provider_calls
        where state = 'due' and attempts > 0 and provider = %(provider)s
            and next_attempt_at <= %(now)s
            and coalesce(key_first_used_at, 'infinity') <= %(forgotten_since)s
        order by next_attempt_at limit %(look_ups)s for update skip locked),
    never_claimed as (
        select call_key, next_attempt_at from provider_calls
        where state = 'due' and attempts = 0 and provider = %(provider)s
        order by next_attempt_at limit %(limit)s for update skip locked),
    due as (
        select call_key from (select * from again union all select * from looked_up
            union all select * from never_claimed) as either
        order by next_attempt_at limit %(limit)s)
    update provider_calls c set attempts = attempts + 1, next_attempt_at = %(lease_until)s,
        last_error = null, key_first_used_at = coalesce(key_first_used_at, %(now)s)
    from due where c.call_key = due.call_key
    returning c.request::text, c.attempts, c.key_generation, c.key_first_used_at, c.created_at,
        c.sent"""

#: These statements affect the newest claim alone, identified by its number of attempts: a worker
#: whose lease has ended changes nothing.
RENEW: Final = """
    update provider_calls set next_attempt_at = %(lease_until)s
    where call_key = %(key)s and state = 'due' and attempts = %(attempts)s"""

#: The request, kept before the first try: every later try sends the same, of whichever release.
FREEZE: Final = """
    update provider_calls set sent = %(sent)s
    where call_key = %(key)s and state = 'due' and attempts = %(attempts)s"""

#: The request has no use any more, and the payment's document says the same.
FINISH: Final = """
    update provider_calls set state = 'done', outcome = %(outcome)s, done_at = %(now)s,
        request = null, sent = null
    where call_key = %(key)s and state = 'due' and attempts = %(attempts)s"""

RETRY: Final = """
    update provider_calls set next_attempt_at = %(at)s, last_error = %(error)s
    where call_key = %(key)s and state = 'due' and attempts = %(attempts)s"""

RETRY_WITH_NEW_KEY: Final = """
    update provider_calls set next_attempt_at = %(at)s, last_error = %(error)s,
        key_generation = key_generation + 1, key_first_used_at = null, sent = null
    where call_key = %(key)s and state = 'due' and attempts = %(attempts)s
        and key_generation = %(generation)s"""


async def claim(
    connection: Connection,
    provider: str,
    limit: int,
    now: datetime,
    lease_until: datetime,
    look_ups: LookUpShare | None = None,
) -> list[ClaimedCall]:
    """Claims a provider's due calls until ``lease_until``, those that wait longest first."""
    share = look_ups or LookUpShare(0, _NEVER)
    cursor = await connection.execute(
        CLAIM,
        {
            "now": now,
            "provider": provider,
            "limit": limit,
            "lease_until": lease_until,
            "look_ups": share.most,
            "forgotten_since": share.forgotten_since,
        },
    )
    return [
        ClaimedCall(
            call=decode_call(request),
            attempts=attempts,
            generation=generation,
            key_first_used_at=key_first_used_at,
            created_at=created_at,
            sent=sent,
        )
        for request, attempts, generation, key_first_used_at, created_at, sent in (
            await cursor.fetchall()
        )
    ]


async def renew(connection: Connection, claimed: ClaimedCall, lease_until: datetime) -> bool:
    """Extends the claim. Returns whether it was still this worker's."""
    cursor = await connection.execute(RENEW, {**_claim(claimed), "lease_until": lease_until})
    return cursor.rowcount > 0


async def freeze(connection: Connection, claimed: ClaimedCall, sent: bytes) -> bool:
    """Keeps the request that every try sends. Returns whether it was this worker's claim."""
    cursor = await connection.execute(FREEZE, {**_claim(claimed), "sent": sent})
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
