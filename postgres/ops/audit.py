"""The audit's statements: every table that its invariants are about.

Every parameter is a time.
"""

from typing import Final

#: The transaction sees every table as of one moment and blocks no writer.
ONE_MOMENT: Final = "set transaction isolation level repeatable read, read only"
INBOX: Final = """
    select event_id, payment_id, topic, partition, "offset", outcome, version, recorded_at >= %s
    from inbox"""
DUPLICATES: Final = 'select topic, partition, "offset" from duplicates'
DEAD_LETTERS: Final = 'select topic, partition, "offset" from dead_letters'
PAYMENTS: Final = """
    select payment_id, status, version, amount, authorized, captured, refunded, document::text,
        snapshot::text, tenant, provider, object_id, currency, expires_at, created_at, updated_at
    from payments"""
#: The last columns of ``PAYMENTS``: they only repeat what the document has.
REPEATED_COLUMNS: Final = (
    "tenant", "provider", "object_id", "currency", "expires_at", "created_at", "updated_at",
)  # fmt: skip
VERSIONS: Final = """
    select payment_id, version, previous_status, status, event_id, at < %s
    from payment_versions order by payment_id, version"""
UNPUBLISHED_VERSIONS: Final = """
    select u.payment_id, u.version, v.event_id, u.publication_id, p.partition
    from unpublished_versions u left join publications p using (publication_id)
    left join payment_versions v using (payment_id, version)"""
QUARANTINED: Final = "select payment_id, event_id from quarantines"
REFUNDS: Final = "select payment_id, refund_id, status, amount, reversed from refunds"
DISPUTES: Final = """
    select payment_id, dispute_id, status, amount, funds_withdrawn, funds_reinstated
    from disputes"""
CALLS: Final = """
    select call_key, payment_id, provider, operation, request::text,
        state = 'done' and done_at < %s and done_at > %s
    from provider_calls"""
DUE_CALLS: Final = "select call_key from provider_calls where state = 'due' and created_at < %s"
UNPUBLISHED: Final = """
    select count(*) from publications where published_at is null and committed_at < %s"""
#: Webhooks whose payment is known and that have still not been routed to it.
UNROUTED: Final = """
    select count(*) from unrouted u join payments p using (provider, object_id)
    where greatest(u.recorded_at, p.updated_at) < %s"""
LAST_PUBLISHED: Final = """
    select p.payment_id, coalesce(u.first - 1, p.version) from payments p
    left join (select payment_id, min(version) as first from unpublished_versions
               group by payment_id) u using (payment_id)
    where coalesce(u.first - 1, p.version) > 0"""
