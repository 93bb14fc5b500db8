-- By what a client finds its payments, besides status and time: a row for each payment and label, in
-- the order of a list. A label is a digest of the tenant and one term that never changes, so these
-- rows are only inserted: a later write to a payment touches none of them, nor any index more than
-- before. A text of any length is 16 bytes here.
create table payment_labels (
    label      uuid not null,
    created_at timestamptz not null,
    payment_id text not null
) with (autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);

-- postgres/payment_list.py makes the same digest. No text has a NUL, so it separates them.
create function payment_label(tenant text, term text, value text) returns uuid
    language sql stable parallel safe as $$
    select encode(substr(sha256(convert_to(tenant, 'UTF8') || '\x00'::bytea
        || convert_to(term, 'UTF8') || '\x00'::bytea || convert_to(value, 'UTF8')), 1, 16),
        'hex')::uuid $$;

create function labels_of(tenant text, provider text, currency text, document jsonb)
    returns setof uuid language sql stable parallel safe as $$
    select payment_label(tenant, term, value) from (
        select 'provider', provider
        union all select 'currency', currency
        union all select 'order_reference', document ->> 'order_reference'
            where document ->> 'order_reference' is not null
        union all select 'metadata.' || key, each.value
            from jsonb_each_text(document -> 'metadata') as each) as terms(term, value) $$;

-- Payments with a dispute that needs a response, or a fraud warning that a refund may still answer.
-- Few: a row leaves when nothing is open any more.
create table open_matters (
    tenant     text not null,
    created_at timestamptz not null,
    payment_id text not null references payments,
    primary key (tenant, created_at, payment_id)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

-- What is stored already. This reads payments, and blocks no writer.
insert into open_matters (tenant, created_at, payment_id)
    select tenant, created_at, payment_id from payments
    where document ? 'fraud_warnings' and snapshot::jsonb @? '$.fraud_warnings[*] ? (@.actionable == true)'
    union
    select p.tenant, p.created_at, p.payment_id from disputes d join payments p using (payment_id)
    where d.status in ('NEEDS_RESPONSE', 'WARNING_NEEDS_RESPONSE');
insert into payment_labels (label, created_at, payment_id)
    select label, created_at, payment_id
    from payments, labels_of(tenant, provider, currency, document) as label;
alter table payment_labels add primary key (label, created_at, payment_id);

-- A trigger, because the release before this one is at work while it migrates, and goes on creating
-- payments until it is replaced.
create function label_payments() returns trigger language plpgsql as $$
begin
    insert into payment_labels (label, created_at, payment_id)
    select label, created_at, payment_id
    from added, labels_of(tenant, provider, currency, document) as label
    on conflict do nothing;
    return null;
end $$;
create trigger payments_get_labels after insert on payments
    referencing new table as added for each statement execute function label_payments();

-- Payments that were created while the labels of the others were made. From here on the trigger waits
-- with every new one until the end of this migration.
insert into payment_labels (label, created_at, payment_id)
    select label, created_at, payment_id
    from payments, labels_of(tenant, provider, currency, document) as label
    where payment_id in (select payment_id from inbox
                         where recorded_at >= now() - interval '10 minutes'
                             and kind = 'command.create')
    on conflict do nothing;
