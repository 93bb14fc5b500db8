"""What waits because a program's file of accounts does not have its account, or did not."""

from collections.abc import Sequence
from typing import Any, Final

from psycopg import AsyncConnection

from ports.records import UNREAD, unread_of
from ports.work_items import WaitingRecord

Connection = AsyncConnection[tuple[Any, ...]]

#: Of the stream's own partitions: the owner of each decides what it can read.
UNREAD_INPUTS: Final = """
    select split_part(kind, '.', 1), count(*) from inbox
    where outcome = 'parked' and kind like %s and partition = any(%s) group by 1 order by 1"""

#: One for each payment that is here: with it, all that waits for the payment is taken up.
TAKEN_UP: Final = """
    select distinct on (i.payment_id) i.payment_id, i.headers, i.value from inbox i
    where i.outcome = 'parked' and i.kind = any(%s) and i.partition = any(%s)
        and exists (select from payments p where p.payment_id = i.payment_id)
        and not exists (select from quarantines q where q.payment_id = i.payment_id)
    order by i.payment_id limit %s"""

#: Calls in two parts, because each has an index of its own.
OF_UNKNOWN_ACCOUNTS: Final = """
    select account, kind, sum(rows)::bigint from (
        select provider, 'call', count(*) from provider_calls
        where state = 'due' and attempts = 0 and provider <> all(%(calls)s) group by provider
        union all
        select provider, 'call', count(*) from provider_calls
        where state = 'due' and attempts > 0 and provider <> all(%(calls)s) group by provider
        union all
        select provider, 'webhook', count(*) from unrouted
        where provider <> all(%(webhooks)s) group by provider) as found(account, kind, rows)
    group by account, kind order by account, kind"""


async def unread_inputs(connection: Connection, partitions: Sequence[int]) -> dict[str, int]:
    """Returns how many inputs of these partitions were not read when they came, by account."""
    cursor = await connection.execute(UNREAD_INPUTS, [f"%.{UNREAD}", list(partitions)])
    return {row[0]: row[1] for row in await cursor.fetchall()}


async def first_unread(
    connection: Connection, accounts: Sequence[str], partitions: Sequence[int], limit: int
) -> list[WaitingRecord]:
    """Returns one such input of each payment, of these accounts and partitions."""
    kinds = [unread_of(account) for account in accounts]
    cursor = await connection.execute(TAKEN_UP, [kinds, list(partitions), limit])
    return [WaitingRecord(row[0], row[1], bytes(row[2])) for row in await cursor.fetchall()]


async def of_unknown_accounts(
    connection: Connection, calls: Sequence[str], webhooks: Sequence[str]
) -> list[tuple[str, str, int]]:
    """Returns (account, what, how many) of calls and webhooks of all other accounts."""
    known = {"calls": list(calls), "webhooks": list(webhooks)}
    cursor = await connection.execute(OF_UNKNOWN_ACCOUNTS, known)
    return [(row[0], row[1], row[2]) for row in await cursor.fetchall()]
