"""The audit's statements: every table that its invariants are about, some payments at a time."""

from typing import Final

#: The transaction sees every table as of one moment and blocks no writer.
ONE_MOMENT: Final = "set transaction isolation level repeatable read, read only"
#: A range of payments has its rows all over the tables: Postgres reads many pages ahead.
READ_AHEAD: Final = "set effective_io_concurrency = 64"

PAYMENTS: Final = """
    select payment_id, status, version, amount, authorized, captured, refunded, document::text,
        snapshot::text, tenant, provider, object_id, currency, expires_at, created_at, updated_at
    from payments where {rows}"""
#: The last columns of ``PAYMENTS``: they only repeat what the document has.
REPEATED_COLUMNS: Final = (
    "tenant", "provider", "object_id", "currency", "expires_at", "created_at", "updated_at",
)  # fmt: skip
VERSIONS: Final = """
    select payment_id, version, previous_status, status, event_id, at < %(kept)s, at >= %(since)s
    from payment_versions where {rows} order by payment_id, version"""
#: An earlier release stored no operations: a command needs an answer if it was decided after the
#: first one of its partition.
INBOX: Final = """
    select event_id, payment_id, kind, topic, partition, "offset", outcome, version,
        recorded_at >= %(before)s,
        case when kind like 'command.%%' and outcome in ('applied', 'rejected')
                and recorded_at >= %(kept)s
            then coalesce(recorded_at >= (
                select since from unnest(%(answering)s::int[], %(answering_since)s::timestamptz[])
                    as answered(number, since)
                where number = inbox.partition), false)
            else false end
    from inbox where {rows}"""
OPERATIONS: Final = """
    select operation_id, payment_id, status, document::text,
        recorded_at < %(before)s and recorded_at >= %(on_topic)s
    from operations where {rows}"""
#: Since when each partition's commands are operations.
ANSWERING: Final = "select partition, min(recorded_at) from operations group by partition"
UNPUBLISHED_VERSIONS: Final = """
    select u.payment_id, u.version,
        (select v.event_id from payment_versions v
         where v.payment_id = u.payment_id and v.version = u.version),
        u.publication_id,
        (select p.partition from publications p where p.publication_id = u.publication_id)
    from unpublished_versions u where {rows}"""
QUARANTINED: Final = "select payment_id, event_id from quarantines where {rows}"
REFUNDS: Final = "select payment_id, refund_id, status, amount, reversed from refunds where {rows}"
DISPUTES: Final = """
    select payment_id, dispute_id, status, amount, currency, respond_by, funds
    from disputes where {rows}"""
CALLS: Final = """
    select call_key, payment_id, provider, operation, request::text,
        state = 'done' and done_at < %(before)s and done_at > %(answered)s,
        state = 'due' and created_at < %(before)s
    from {calls}"""

#: By table: its statement, and the column with the payment's ID.
_TABLES: Final = {
    "versions": (VERSIONS, "payment_id"),
    "payments": (PAYMENTS, "payment_id"),
    "inbox": (INBOX, "payment_id"),
    "quarantines": (QUARANTINED, "payment_id"),
    "refunds": (REFUNDS, "payment_id"),
    "disputes": (DISPUTES, "payment_id"),
    "unpublished": (UNPUBLISHED_VERSIONS, "u.payment_id"),
    "operations": (OPERATIONS, "payment_id"),
}
#: The rows of one range of payment IDs. All ranges together have every row, whatever its ID.
_ROWS: Final = {
    "range": "{id} >= %(first)s and {id} < %(until)s",
    "last": "{id} >= %(first)s",
    "listed": "{id} = any(%(ids)s)",
}
#: Those of provider_calls: a call's key begins with its payment's ID.
_CALLS: Final = {
    "range": "provider_calls where call_key >= %(first)s and call_key < %(until)s",
    "last": "provider_calls where call_key >= %(first)s",
    "listed": """unnest(%(ids)s::text[]) as listed(id) join provider_calls
        on call_key >= id || ':' and call_key < id || ';'""",
}
#: By table and kind of range.
RANGED: Final = {
    **{(table, kind): statement.format(rows=rows.format(id=column))
       for kind, rows in _ROWS.items() for table, (statement, column) in _TABLES.items()},
    **{("calls", kind): CALLS.format(calls=calls) for kind, calls in _CALLS.items()},
}  # fmt: skip

COUNT: Final = "select count(*) from payments where payment_id >= %(start)s"
#: The ID at which each range begins, but the first.
BOUNDARIES: Final = """
    select payment_id from (
        select payment_id, row_number() over (order by payment_id) as number
        from payments where payment_id >= %(start)s) as numbered
    where number > 1 and (number - 1) %% %(size)s = 0
    order by payment_id"""
#: Payments with a new input, and those with something that waits.
CHANGED: Final = """
    select distinct payment_id from (
        select payment_id from inbox where recorded_at >= %(since)s
        union all select payment_id from inbox where outcome in ('parked', 'quarantined')
        union all select payment_id from provider_calls where state = 'due' and attempts = 0
        union all select payment_id from provider_calls where state = 'due' and attempts > 0
        union all select payment_id from quarantines
        union all select payment_id from unpublished_versions) as changed
    where payment_id >= %(start)s order by payment_id"""
LAST_PUBLISHED: Final = """
    select p.payment_id, coalesce(u.first - 1, p.version) from payments p
    left join (select payment_id, min(version) as first from unpublished_versions
               group by payment_id) u using (payment_id)
    where coalesce(u.first - 1, p.version) > 0"""
LAST_PUBLISHED_FROM: Final = f"{LAST_PUBLISHED} and p.payment_id >= %(start)s"
LAST_PUBLISHED_OF: Final = f"{LAST_PUBLISHED} and p.payment_id = any(%(ids)s)"
#: The events with an effect on several payments, or on one several times.
REPEATED: Final = """
    select event_id, count(*) from payment_versions group by event_id having count(*) > 1"""

#: The outcomes of the payments before the first range.
EARLIER: Final = """
    select topic, partition, "offset" from inbox
    where payment_id < %(start)s and recorded_at >= %(since)s"""
DUPLICATES: Final = """
    select topic, partition, "offset" from duplicates where recorded_at >= %(since)s"""
DEAD_LETTERS: Final = """
    select topic, partition, "offset" from dead_letters where recorded_at >= %(since)s"""
UNPUBLISHED: Final = """
    select count(*) from publications where published_at is null and committed_at < %(before)s"""
#: Which events of the router's topic are anywhere. ``limit``: each is looked up in the indexes.
UNROUTED_FOUND: Final = """
    select id from unnest(%(ids)s::text[]) as asked(id), lateral (
        select from unrouted where event_id = id
        union all select from ignored_webhooks where event_id = id
        union all select from notices where event_id = id
        union all select from inbox where event_id = id
        limit 1) as found"""
#: Webhooks whose payment is known and that have still not been routed to it.
UNROUTED: Final = """
    select count(*) from unrouted u join payments p using (provider, object_id)
    where greatest(u.recorded_at, p.updated_at) < %(before)s"""
