"""The four statements of one webhook, on the service's own tables.

``bench/peers/idiomatic_faust`` uses them too.
"""

from typing import Final

BEGIN: Final = "begin"
COMMIT: Final = "commit"

#: Whether the event is known is only a hint, because it may be read before the lock is taken.
LOCK_PAYMENT: Final = """
    select document::text, exists (select from inbox where event_id = %s) from payments
    where payment_id = %s for update"""

#: Decides whether the event is new.
_NEW_EVENT: Final = """
    insert into inbox (event_id, payment_id, kind, topic, partition, "offset", received_at,
        recorded_at, outcome, reason, version)
    values (%(event_id)s, %(payment_id)s, %(kind)s, %(topic)s, %(partition)s, %(offset)s,
        %(received_at)s, %(now)s, %(outcome)s, %(reason)s, %(version)s)
    on conflict do nothing"""

WRITE_EVENT: Final = _NEW_EVENT

#: All writes depend on the new event. A publisher would find new versions by the publication.
WRITE_PAYMENT: Final = f"""
    with new_event as ({_NEW_EVENT} returning event_id),
    payment as (
        update payments set object_id = %(object_id)s, status = %(status)s, version = %(version)s,
            authorized = %(authorized)s, captured = %(captured)s, refunded = %(refunded)s,
            updated_at = %(updated_at)s, document = %(document)s::jsonb,
            snapshot = %(snapshot)s::json
        from new_event where payment_id = %(payment_id)s),
    publication as (
        insert into publications (publication_id, partition, committed_at)
        select nextval('publication_ids'), 0, %(now)s from new_event where %(is_new_version)s
        returning publication_id),
    unpublished as (
        insert into unpublished_versions (publication_id, payment_id, version, at, snapshot)
        select publication_id, %(payment_id)s, %(version)s, %(updated_at)s, %(snapshot)s::json
        from publication),
    version as (
        insert into payment_versions (payment_id, version, previous_status, status, event_id, at)
        select %(payment_id)s, %(version)s, %(previous_status)s, %(status)s, %(event_id)s,
            %(updated_at)s
        from publication),
    refund as (
        insert into refunds (refund_id, payment_id, status, amount, reversed, updated_at)
        select r.refund_id, %(payment_id)s, r.status, r.amount, r.reversed, %(updated_at)s
        from new_event, unnest(%(refund_ids)s::text[], %(refund_statuses)s::text[],
            %(refund_amounts)s::bigint[], %(refund_reversals)s::boolean[])
            as r(refund_id, status, amount, reversed)
        on conflict (payment_id, refund_id) do update set status = excluded.status,
            amount = excluded.amount, reversed = excluded.reversed,
            updated_at = excluded.updated_at)
    insert into provider_calls (call_key, payment_id, provider, operation, request,
        next_attempt_at, created_at)
    select c.call_key, %(payment_id)s, %(provider)s, c.operation, c.request, %(now)s, %(now)s
    from new_event, unnest(%(call_keys)s::text[], %(call_operations)s::text[],
        %(call_requests)s::jsonb[]) as c(call_key, operation, request)"""  # noqa: S608  # a constant
