"""The statements of a batch: a fixed number, whatever its size. Rows are sent as arrays.

Arrays are sent in binary (``%b``). As text, every quote in every document would be escaped, which
took a quarter of the worker's time.
"""

from typing import Final

# -- load, under the locks of partitions and payments, always taken in the same order -----------

#: A payment that does not exist yet has no row to lock: two owners of its partition could each miss
#: what the other writes. The first number separates these locks from others in the same database.
LOCK_PARTITIONS: Final = """
    select pg_advisory_xact_lock(1885434995, partition)
    from (select unnest(%b::int[]) as partition order by 1) as sorted"""

LOAD_PAYMENTS: Final = """
    select payment_id, document::text from payments where payment_id = any(%b)
    order by payment_id for update"""

LOAD_KNOWN: Final = """
    select event_id, topic, partition, "offset", outcome, publication_id
    from inbox where event_id = any(%b)"""

LOAD_QUARANTINED: Final = "select payment_id from quarantines where payment_id = any(%b)"

#: What waits for a payment that is created or released.
LOAD_WAITING: Final = """
    select event_id, payment_id, topic, partition, "offset", headers, value, kind
    from inbox where payment_id = any(%b) and outcome in ('parked', 'quarantined')
    order by decided nulls first, recorded_at, topic, partition, "offset\""""

LOAD_OWNERS: Final = """
    select provider, object_id, payment_id from payments
    where (provider, object_id) in (select * from unnest(%b::text[], %b::text[]))"""

NEXT_PUBLICATION_IDS: Final = "select nextval('publication_ids') from generate_series(1, %s)"

# -- write -------------------------------------------------------------------------------------

#: Drawn under the locks of the payments: of two batches with one payment the later has the higher.
NEXT_DECISIONS: Final = "select nextval('decision_batches')"

INSERT_PUBLICATIONS: Final = """
    insert into publications (publication_id, partition, committed_at)
    select *, %s from unnest(%b::bigint[], %b::int[])"""

INSERT_PAYMENTS: Final = """
    insert into payments (payment_id, tenant, provider, object_id, status, version, amount,
        currency, authorized, captured, refunded, expires_at, created_at, updated_at, document,
        snapshot, publication_id)
    select * from unnest(%b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::int[],
        %b::bigint[], %b::text[], %b::bigint[], %b::bigint[], %b::bigint[], %b::timestamptz[],
        %b::timestamptz[], %b::timestamptz[], %b::jsonb[], %b::json[], %b::bigint[])"""

#: A change that makes no new version leaves the last one as it was published.
UPDATE_PAYMENTS: Final = """
    update payments p set object_id = n.object_id, status = n.status, version = n.version,
        authorized = n.authorized, captured = n.captured, refunded = n.refunded,
        updated_at = n.updated_at, document = n.document,
        snapshot = coalesce(n.snapshot, p.snapshot),
        publication_id = coalesce(n.publication_id, p.publication_id)
    from unnest(%b::text[], %b::int[], %b::text[], %b::text[], %b::int[], %b::bigint[],
        %b::bigint[], %b::bigint[], %b::timestamptz[], %b::jsonb[], %b::json[], %b::bigint[])
        as n(payment_id, expected, object_id, status, version, authorized, captured, refunded,
             updated_at, document, snapshot, publication_id)
    where p.payment_id = n.payment_id and p.version = n.expected"""

INSERT_VERSIONS: Final = """
    insert into payment_versions (payment_id, version, previous_status, status, event_id, at)
    select * from unnest(%b::text[], %b::int[], %b::text[], %b::text[], %b::text[],
        %b::timestamptz[])"""

INSERT_UNPUBLISHED: Final = """
    insert into unpublished_versions (publication_id, payment_id, version, at, snapshot)
    select * from unnest(%b::bigint[], %b::text[], %b::int[], %b::timestamptz[], %b::json[])"""

#: A change never undoes a final status: a trigger would refuse it.
UPSERT_OPERATIONS: Final = """
    insert into operations (recorded_at, operation_id, payment_id, tenant, status, partition,
        document)
    select %s, * from unnest(%b::text[], %b::text[], %b::text[], %b::text[], %b::int[],
        %b::json[])
    on conflict (operation_id) do update set recorded_at = excluded.recorded_at,
        status = excluded.status, document = excluded.document"""

INSERT_UNPUBLISHED_OPERATIONS: Final = """
    insert into unpublished_operations (publication_id, operation_id, payment_id, status, version,
        at, document)
    select * from unnest(%b::bigint[], %b::text[], %b::text[], %b::text[], %b::int[],
        %b::timestamptz[], %b::json[])"""

UPSERT_REFUNDS: Final = """
    insert into refunds (payment_id, refund_id, status, amount, reversed, updated_at)
    select * from unnest(%b::text[], %b::text[], %b::text[], %b::bigint[], %b::boolean[],
        %b::timestamptz[])
    on conflict (payment_id, refund_id) do update set status = excluded.status,
        amount = excluded.amount, reversed = excluded.reversed, updated_at = excluded.updated_at"""

DELETE_REFUNDS: Final = """
    delete from refunds where (payment_id, refund_id) in
        (select * from unnest(%b::text[], %b::text[]))"""

UPSERT_DISPUTES: Final = """
    insert into disputes (payment_id, dispute_id, status, amount, currency, respond_by, funds,
        updated_at)
    select * from unnest(%b::text[], %b::text[], %b::text[], %b::bigint[], %b::text[],
        %b::timestamptz[], %b::jsonb[], %b::timestamptz[])
    on conflict (payment_id, dispute_id) do update set status = excluded.status,
        amount = excluded.amount, currency = excluded.currency, respond_by = excluded.respond_by,
        funds = excluded.funds, updated_at = excluded.updated_at"""

INSERT_MATTERS: Final = """
    insert into open_matters (tenant, created_at, payment_id)
    select * from unnest(%b::text[], %b::timestamptz[], %b::text[])
    on conflict do nothing"""

DELETE_MATTERS: Final = """
    delete from open_matters where (tenant, created_at, payment_id) in
        (select * from unnest(%b::text[], %b::timestamptz[], %b::text[]))"""

INSERT_CALLS: Final = """
    insert into provider_calls (call_key, payment_id, provider, operation, request,
        next_attempt_at, created_at)
    select *, %s, %s from unnest(%b::text[], %b::text[], %b::text[], %b::text[], %b::jsonb[])"""

#: Also for a call under way: its answer may be lost, and the lease is long. Under the same key the
#: provider acts once.
HURRY_CALLS: Final = """
    update provider_calls set next_attempt_at = least(next_attempt_at, %s)
    where call_key = any(%b) and state = 'due' and attempts > 0"""

INSERT_INBOX: Final = """
    insert into inbox (recorded_at, decided, event_id, payment_id, tenant, operation_id, kind,
        topic, partition, "offset", received_at, outcome, reason, version, publication_id, headers,
        value)
    select %s, currval('decision_batches') * 1000000 + ordinal, event_id, payment_id, tenant,
        operation_id, kind, topic, partition, "offset", received_at, outcome, reason, version,
        publication_id, headers, value
    from unnest(%b::text[], %b::int[], %b::text[], %b::text[], %b::text[], %b::text[],
        %b::text[], %b::int[], %b::bigint[], %b::timestamptz[], %b::text[], %b::text[], %b::int[],
        %b::bigint[], %b::jsonb[], %b::bytea[])
        as n(event_id, ordinal, payment_id, tenant, operation_id, kind, topic, partition, "offset",
             received_at, outcome, reason, version, publication_id, headers, value)
    on conflict do nothing"""

UPDATE_WAITING: Final = """
    update inbox i set event_id = n.known_by, outcome = n.outcome, reason = n.reason,
        version = n.version, publication_id = n.publication_id, headers = n.headers,
        value = n.value, kind = n.kind,
        decided = currval('decision_batches') * 1000000 + n.ordinal
    from unnest(%b::text[], %b::text[], %b::text[], %b::int[], %b::text[], %b::text[],
        %b::text[], %b::int[], %b::bigint[], %b::jsonb[], %b::bytea[])
        as n(payment_id, event_id, known_by, ordinal, kind, outcome, reason, version,
             publication_id, headers, value)
    where i.event_id = n.event_id and i.payment_id = n.payment_id
        and i.outcome in ('parked', 'quarantined')"""

#: Rows that waited while another record of their event was decided: they are duplicates now. Under
#: the same ID another payment's may wait since they were read.
DELETE_SUPERSEDED: Final = """
    delete from inbox i using unnest(%b::text[], %b::text[]) as n(event_id, payment_id)
    where i.event_id = n.event_id and i.payment_id = n.payment_id
        and i.outcome in ('parked', 'quarantined')"""

#: A refused record has an outcome of its own, even if another has used its event ID since.
INSERT_DUPLICATES: Final = """
    insert into duplicates (recorded_at, topic, partition, "offset", event_id, payment_id,
        received_at)
    select %s, topic, partition, "offset", event_id, payment_id, received_at
    from unnest(%b::text[], %b::int[], %b::bigint[], %b::text[], %b::text[],
        %b::timestamptz[], %b::text[])
        as n(topic, partition, "offset", event_id, payment_id, received_at, refusal_id)
    where not exists (select from inbox i where i.event_id = n.refusal_id)
        and not exists (select from duplicates d where d.topic = n.topic
                        and d.partition = n.partition and d."offset" = n."offset")
    on conflict do nothing"""

#: Its event ID was left free since, and the same record was refused when it was read again.
DELETE_DUPLICATES: Final = """
    delete from duplicates d
    using unnest(%b::text[], %b::int[], %b::bigint[]) as n(topic, partition, "offset")
    where d.topic = n.topic and d.partition = n.partition and d."offset" = n."offset" """

INSERT_DEAD_LETTERS: Final = """
    insert into dead_letters (recorded_at, topic, partition, "offset", error)
    select %s, * from unnest(%b::text[], %b::int[], %b::bigint[], %b::text[])
    on conflict do nothing"""

DELETE_QUARANTINES: Final = "delete from quarantines where payment_id = any(%b)"

#: From now on a new quarantine, for the same event, so that it can be released again.
RENEW_QUARANTINES: Final = """
    update quarantines q set quarantined_at = %s, failed_release = n.event_id, error = n.error
    from unnest(%b::text[], %b::text[], %b::text[]) as n(payment_id, event_id, error)
    where q.payment_id = n.payment_id"""

INSERT_QUARANTINES: Final = """
    insert into quarantines (quarantined_at, payment_id, event_id, error)
    select %s, * from unnest(%b::text[], %b::text[], %b::text[])
    on conflict do nothing"""

# -- announce: a payment's last version, published again because a quarantine began or ended ------

LAST_VERSIONS: Final = """
    select payment_id, version, updated_at, snapshot::text from payments
    where payment_id = any(%b)"""

#: Before versions, as everywhere else, so that there is no deadlock.
LOCK_PUBLICATIONS: Final = """
    select from publications where partition = any(%b) and published_at is null
    order by publication_id for update"""

#: Where the version waits in an earlier publication, it is published with the new one only.
WITHDRAW: Final = """
    delete from unpublished_versions v
    using unnest(%b::text[], %b::int[]) as n(payment_id, version)
    where v.payment_id = n.payment_id and v.version = n.version"""

#: Publications of which nothing is left to publish.
END_EMPTY_PUBLICATIONS: Final = """
    update publications p set published_at = %s
    where p.published_at is null and p.partition = any(%b)
        and not exists (select from unpublished_versions v
                        where v.publication_id = p.publication_id)
        and not exists (select from unpublished_operations o
                        where o.publication_id = p.publication_id)"""

# -- publish -----------------------------------------------------------------------------------

#: What is unpublished of these partitions, and after it each payment's last version, which may have
#: been published before an earlier one was.
_UNPUBLISHED: Final = """
    with unpublished as (
        select v.payment_id, v.version, p.partition, v.at, v.snapshot, publication_id
        from publications p join unpublished_versions v using (publication_id)
        where p.published_at is null and {which}),
    last as (
        select p.payment_id, p.version, u.partition, p.updated_at, p.snapshot, p.publication_id
        from (select payment_id, max(version) as version, min(partition) as partition
              from unpublished group by payment_id) u
        join payments p on p.payment_id = u.payment_id and p.version > u.version)
    select v.payment_id, v.version, v.partition, v.at, v.snapshot::text, v.publication_id,
        q.payment_id is not null
    from (select * from unpublished union all select * from last) v
    left join quarantines q using (payment_id)
    order by v.payment_id, v.version, v.publication_id"""

UNPUBLISHED_BY_PARTITION: Final = _UNPUBLISHED.format(which="p.partition = any(%b)")
#: Of the partitions of these publications, if they are still unpublished.
UNPUBLISHED_BY_ID: Final = _UNPUBLISHED.format(
    which="""p.partition in (select partition from publications
            where publication_id = any(%b) and published_at is null)"""
)

_UNPUBLISHED_OPERATIONS: Final = """
    select o.payment_id, o.operation_id, o.status, o.version, p.partition, o.at, o.document::text,
        publication_id
    from publications p join unpublished_operations o using (publication_id)
    where p.published_at is null and {which}
    order by o.payment_id, publication_id"""

OPERATIONS_BY_PARTITION: Final = _UNPUBLISHED_OPERATIONS.format(which="p.partition = any(%b)")
#: Of the partitions of these publications, if they are still unpublished.
OPERATIONS_BY_ID: Final = _UNPUBLISHED_OPERATIONS.format(
    which="""p.partition in (select partition from publications
            where publication_id = any(%b) and published_at is null)"""
)

#: For the first of its versions that can't be published. An existing quarantine stays.
QUARANTINE_UNPUBLISHABLE: Final = """
    insert into quarantines (quarantined_at, payment_id, event_id, error)
    select distinct on (v.payment_id) %s, v.payment_id, v.event_id, n.error
    from unnest(%b::text[], %b::int[], %b::text[]) as n(payment_id, version, error)
    join payment_versions v on v.payment_id = n.payment_id and v.version = n.version
    order by v.payment_id, v.version
    on conflict (payment_id) do nothing"""

#: The rows of earlier publications have no use any more.
MARK_PUBLISHED: Final = """
    with marked as (
        update publications set published_at = %s
        where publication_id = any(%b) and published_at is null
        returning publication_id, partition),
    earlier as (
        delete from publications p using
            (select partition, max(publication_id) as last from marked group by partition) m
        where p.partition = m.partition and p.published_at is not null
            and p.publication_id < m.last),
    operations_out as (
        delete from unpublished_operations o using marked
        where o.publication_id = marked.publication_id)
    delete from unpublished_versions v using marked
    where v.publication_id = marked.publication_id"""
