-- The whole schema of the first release. This file never changes again: every later change is a new
-- migration that adds to it.
--
-- Amounts are integer minor units. Times are UTC. IDs are text, derived from their inputs and never
-- random.
--
-- Vacuums of large tables that are updated begin at a fiftieth of their rows, not at a fifth, so that
-- each is short; and may cost more at a time, so that they keep up. Tables whose rows soon leave are
-- vacuumed after a fixed number.

-- The state machine as rows. A test keeps them equal to domain/transitions.py.
create table payment_statuses (
    status text primary key,
    final  boolean not null
);
insert into payment_statuses (status, final) values
    ('CREATED', false), ('PROCESSING', false), ('REQUIRES_ACTION', false), ('AUTHORIZED', false),
    ('SUCCEEDED', true), ('FAILED', true), ('CANCELED', true);

create table allowed_transitions (
    source text not null references payment_statuses,
    target text not null references payment_statuses,
    primary key (source, target)
);
insert into allowed_transitions (source, target) values
    ('CREATED', 'PROCESSING'), ('CREATED', 'REQUIRES_ACTION'), ('CREATED', 'AUTHORIZED'),
    ('CREATED', 'SUCCEEDED'), ('CREATED', 'FAILED'), ('CREATED', 'CANCELED'),
    ('PROCESSING', 'REQUIRES_ACTION'), ('PROCESSING', 'AUTHORIZED'), ('PROCESSING', 'SUCCEEDED'),
    ('PROCESSING', 'FAILED'), ('PROCESSING', 'CANCELED'),
    ('REQUIRES_ACTION', 'PROCESSING'), ('REQUIRES_ACTION', 'AUTHORIZED'),
    ('REQUIRES_ACTION', 'SUCCEEDED'), ('REQUIRES_ACTION', 'FAILED'), ('REQUIRES_ACTION', 'CANCELED'),
    ('AUTHORIZED', 'PROCESSING'), ('AUTHORIZED', 'REQUIRES_ACTION'), ('AUTHORIZED', 'SUCCEEDED'),
    ('AUTHORIZED', 'FAILED'), ('AUTHORIZED', 'CANCELED');

create table payments (
    payment_id text primary key check (payment_id ~ '^pay_[a-z2-7]{30}$'),
    tenant     text not null,
    provider   text not null,
    object_id  text,
    status     text not null references payment_statuses,
    version    integer not null check (version >= 1),
    amount     bigint not null check (amount > 0),
    currency   text not null check (currency ~ '^[A-Z]{3}$'),
    authorized bigint not null,
    captured   bigint not null,
    refunded   bigint not null,
    expires_at timestamptz not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    -- the domain's whole payment (domain/payment.py), which the columns above repeat
    document   jsonb not null,
    -- the last version as published, and its publication
    snapshot   json not null,
    publication_id bigint not null,
    constraint amounts_add_up check (0 <= refunded and refunded <= captured
                                     and captured <= authorized),
    constraint one_payment_per_object unique (provider, object_id)
) with (fillfactor = 75, autovacuum_vacuum_scale_factor = 0.02,
        autovacuum_analyze_scale_factor = 0.02, autovacuum_vacuum_cost_limit = 2000);
-- A finished payment is written again for years: refunds, disputes, late webhooks. No index has a
-- column that such a write changes (amounts, version, updated_at, document), and every page keeps
-- room for a row, so the write stays on its page and touches no index.
create index payments_by_status on payments (tenant, status, created_at desc, payment_id desc);
create index payments_unfinished on payments (payment_id)
    where status in ('CREATED', 'PROCESSING', 'REQUIRES_ACTION', 'AUTHORIZED');
create index payments_expiring on payments (expires_at) where status = 'REQUIRES_ACTION';

create function keep_final_status() returns trigger language plpgsql as $$
begin
    raise exception 'payment % is % and final; it can''t become %',
        old.payment_id, old.status, new.status using errcode = 'check_violation';
end $$;
create trigger final_status_never_changes before update on payments for each row
    when (old.status in ('SUCCEEDED', 'FAILED', 'CANCELED') and new.status <> old.status)
    execute function keep_final_status();

create function keep_version_order() returns trigger language plpgsql as $$
begin
    raise exception 'payment % is at version %; it can''t go back to %',
        old.payment_id, old.version, new.version using errcode = 'check_violation';
end $$;
create trigger version_never_goes_back before update on payments for each row
    when (new.version < old.version)
    execute function keep_version_order();

create function keep_object() returns trigger language plpgsql as $$
begin
    raise exception 'payment % is % at the provider; it can''t become %',
        old.payment_id, old.object_id, new.object_id using errcode = 'check_violation';
end $$;
create trigger object_never_changes before update on payments for each row
    when (old.object_id is not null and new.object_id is distinct from old.object_id)
    execute function keep_object();

-- One row per batch and partition: the versions that are published together. A publication that stays
-- without published_at is the trace of a crash between the commit and the publishing. Of each
-- partition the last published row is kept.
create table publications (
    publication_id bigint primary key,
    partition      integer not null,
    committed_at   timestamptz not null,
    published_at   timestamptz
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
create sequence publication_ids;
create index publications_unpublished on publications (partition) where published_at is null;

-- The versions of publications that are not published yet. They leave when they are published.
create table unpublished_versions (
    publication_id bigint not null,
    payment_id     text not null,
    version        integer not null,
    at             timestamptz not null,
    snapshot       json not null,
    primary key (publication_id, payment_id, version)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

-- Every version of every payment. previous_status is null for the first.
create table payment_versions (
    payment_id      text not null references payments,
    version         integer not null check (version >= 1),
    previous_status text,
    status          text not null references payment_statuses,
    event_id        text not null,
    at              timestamptz not null,
    primary key (payment_id, version),
    constraint first_version_has_no_past check ((version = 1) = (previous_status is null))
) with (autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);

create function guard_version() returns trigger language plpgsql as $$
begin
    raise exception 'payment % can''t go from % to %',
        new.payment_id, new.previous_status, new.status using errcode = 'foreign_key_violation';
end $$;
create function transition_is_allowed(source text, target text) returns boolean
    language sql stable as
    'select exists (select from allowed_transitions t where t.source = $1 and t.target = $2)';
create trigger only_allowed_transitions before insert on payment_versions for each row
    when (new.previous_status is not null and new.previous_status <> new.status
          and not transition_is_allowed(new.previous_status, new.status))
    execute function guard_version();

create view transitions as
    select payment_id, version, previous_status, status, event_id, at from payment_versions
    where previous_status is distinct from status;

-- The payment is part of the key, so no other payment can write a row of its refunds or disputes.
create table refunds (
    payment_id text not null references payments,
    refund_id  text not null,
    status     text not null check (status in
               ('REQUESTED', 'PENDING', 'REQUIRES_ACTION', 'SUCCEEDED', 'CANCELED', 'FAILED')),
    amount     bigint not null check (amount >= 0),
    reversed   boolean not null,
    updated_at timestamptz not null,
    primary key (payment_id, refund_id)
);

create table disputes (
    payment_id      text not null references payments,
    dispute_id      text not null,
    status          text not null check (status in
                    ('WARNING_NEEDS_RESPONSE', 'WARNING_UNDER_REVIEW', 'NEEDS_RESPONSE',
                     'UNDER_REVIEW', 'WARNING_CLOSED', 'PREVENTED', 'LOST', 'WON')),
    amount          bigint not null check (amount >= 0),
    currency        text not null,
    respond_by      timestamptz check (respond_by is null or status like '%NEEDS_RESPONSE'),
    -- what moved, as published: [{"currency", "withdrawn", "reinstated", "adjusted"}]
    funds           jsonb not null check (jsonb_typeof(funds) = 'array'),
    updated_at      timestamptz not null,
    primary key (payment_id, dispute_id)
);

-- One row per event ID: its outcome and the reason. This table decides what was processed; the
-- stream's dedup table is only a faster copy. Partitioned by quarter (postgres/partitions.py), so that
-- deleting old rows returns their disk; event_id is unique in each partition.
create table inbox (
    event_id     text not null,
    payment_id   text not null,
    tenant       text,
    operation_id text,
    kind         text not null,
    topic        text not null,
    partition    integer not null,
    "offset"     bigint not null,
    received_at  timestamptz not null,
    recorded_at  timestamptz not null,
    outcome      text not null check (outcome in
                 ('applied', 'stale', 'parked', 'rejected', 'conflict', 'ignored', 'quarantined',
                  'duplicate')),
    reason       text not null,
    version      integer,
    publication_id bigint,
    -- the consumed record, kept only while the input waits: parked or quarantined
    headers      jsonb,
    value        bytea,
    -- The order of decisions: the batch's number times a million, plus the input's ordinal in it.
    -- Decided again after waiting, an input gets a new number. The topics have no order between
    -- them, so a rebuild decides in this order.
    decided      bigint,
    constraint waiting_records_are_kept
        check (outcome not in ('parked', 'quarantined') or value is not null)
) partition by range (recorded_at);
create table inbox_rest partition of inbox default;
create unique index on inbox_rest (event_id);
create index on inbox_rest (recorded_at);
-- Of the payment alone, so that its rows share one entry: a timeline sorts the rows that it pages.
create index inbox_by_payment on inbox (payment_id);
create index inbox_by_operation on inbox (operation_id) where operation_id is not null;
create index inbox_waiting on inbox (payment_id) where outcome in ('parked', 'quarantined');
create index inbox_by_age on inbox using brin (recorded_at) with (pages_per_range = 32, autosummarize);
create index inbox_parked_by_age on inbox (recorded_at) where outcome = 'parked';

-- One number per batch, drawn under the locks of the batch's payments.
create sequence decision_batches;

-- A further record with an event ID that the inbox has. It has no effect. Partitioned as the inbox is;
-- the position is unique in each partition.
create table duplicates (
    topic       text not null,
    partition   integer not null,
    "offset"    bigint not null,
    event_id    text not null,
    payment_id  text not null,
    received_at timestamptz not null,
    recorded_at timestamptz not null
) partition by range (recorded_at);
create table duplicates_rest partition of duplicates default;
create unique index on duplicates_rest (topic, partition, "offset");
create index on duplicates_rest (recorded_at);
create index duplicates_by_payment on duplicates (payment_id);
create index duplicates_by_age on duplicates using brin (recorded_at)
    with (pages_per_range = 32, autosummarize);

-- Undecodable records: source and reason. Their bytes are on the topic dead-letters.
create table dead_letters (
    topic       text not null,
    partition   integer not null,
    "offset"    bigint not null,
    error       text not null,
    recorded_at timestamptz not null,
    primary key (topic, partition, "offset")
);

create index dead_letters_by_age on dead_letters (recorded_at);

-- Dead letters that an operator sent to their topics again, by their offset on dead-letters.
create table dead_letter_replays (
    partition   integer not null,
    "offset"    bigint not null,
    replayed_at timestamptz not null,
    primary key (partition, "offset")
);

-- Payments on which our own code failed. Their inputs are parked until an operator releases them.
create table quarantines (
    payment_id     text primary key,
    event_id       text not null,
    error          text not null,
    quarantined_at timestamptz not null,
    -- the event ID of the last release that failed; error is then that release's
    failed_release text
);

-- The outbox: provider calls, written in the transaction that decided them. Rows are never deleted.
create table provider_calls (
    -- begins with the payment ID; compared by bytes, so that a payment's calls are a range
    call_key        text collate "C" primary key check (length(call_key) <= 255),
    payment_id      text not null references payments,
    provider        text not null,
    operation       text not null check (operation in
                    ('create', 'confirm', 'capture', 'cancel', 'refund')),
    -- what to send; null once it is done
    request         jsonb,
    -- the provider's own request, as the first try sent it: every later try sends the same
    sent            bytea,
    state           text not null default 'due' check (state in ('due', 'done')),
    attempts        integer not null default 0 check (attempts >= 0),
    -- the provider's key is call_key, or call_key.generation once a new one was needed and safe
    key_generation  integer not null default 0 check (key_generation >= 0),
    key_first_used_at timestamptz,
    next_attempt_at timestamptz not null,
    last_error      text,
    outcome         text,
    created_at      timestamptz not null,
    done_at         timestamptz,
    constraint done_has_outcome check ((state = 'done') = (outcome is not null)),
    constraint due_has_request check (state = 'done' or request is not null),
    constraint call_is_of_its_payment check (starts_with(call_key, payment_id || ':'))
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02,
        autovacuum_vacuum_cost_limit = 2000);
create index provider_calls_never_claimed on provider_calls (provider, next_attempt_at)
    where state = 'due' and attempts = 0;
create index provider_calls_due on provider_calls (provider, next_attempt_at)
    where state = 'due' and attempts > 0;

-- Webhooks that name no payment, and whose payment is not known yet.
create table unrouted (
    event_id    text primary key,
    provider    text not null,
    object_id   text not null,
    headers     jsonb not null,
    value       bytea not null,
    received_at timestamptz not null,
    recorded_at timestamptz not null,
    -- set by the batch in which a payment gets this object
    payment_id  text
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
create index unrouted_by_object on unrouted (provider, object_id);
create index unrouted_by_age on unrouted (recorded_at);
create index unrouted_known on unrouted (recorded_at) where payment_id is not null;

-- Webhooks that belong to no payment and could have no effect on one, with the reason.
create table ignored_webhooks (
    event_id    text primary key,
    provider    text not null,
    kind        text not null,
    reason      text not null,
    received_at timestamptz not null,
    recorded_at timestamptz not null
);
create index ignored_webhooks_by_age on ignored_webhooks (recorded_at);

-- How far the reconciler has read each provider's event list.
create table cursors (
    provider   text primary key,
    event_id   text not null,
    updated_at timestamptz not null
);

-- How often each account at a provider may be asked, by all workers together (ports/rate_budget.py).
-- Unlogged: a statement writes no log and waits for no disk, and after a crash of Postgres, or on
-- another server, a row begins again, empty.
create unlogged table rate_budgets (
    account       text primary key,
    tokens        double precision not null,
    filled_at     timestamptz not null,
    -- what the last statement took
    granted       integer not null default 0,
    -- after the provider refused a request for its rate; how often in a row it did
    blocked_until timestamptz not null default now(),
    refusals      integer not null default 0
) with (fillfactor = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

-- When the object of an unfinished payment is looked at next. A payment that finishes leaves it.
create table looks (
    payment_id text primary key,
    provider   text not null,
    object_id  text not null,
    -- the payment's version: one that has changed is looked at as if for the first time
    version    integer not null,
    next_at    timestamptz not null,
    -- event ID of what was found and published the last time
    found      text,
    -- how many looks in a row found nothing new
    unchanged  integer not null default 0
) with (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_limit = 2000);
create index looks_due on looks (provider, next_at);
