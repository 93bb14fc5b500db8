-- What became of each operation that a client asked for, as it is published on payment-operations.
-- The document has the operation's last status; GET /v1/operations/{id} returns it.
create table operations (
    operation_id text primary key,
    payment_id   text not null,
    tenant       text not null,
    status       text not null check (status in ('applied', 'rejected', 'done', 'refused')),
    document     json not null,
    -- of its command on payment-commands
    partition    integer not null,
    -- when its last change was decided
    recorded_at  timestamptz not null
);
create index operations_by_payment on operations (payment_id);
create index operations_by_age on operations (recorded_at);

-- A rejected, done or refused operation never changes; only an applied one does.
create function keep_operation() returns trigger language plpgsql as $$
begin
    raise exception 'operation % is % and final; it can''t become %',
        old.operation_id, old.status, new.status using errcode = 'check_violation';
end $$;
create trigger final_operation_never_changes before update on operations for each row
    when (old.status <> 'applied' and new.status <> old.status)
    execute function keep_operation();

-- The changes of publications that are not published yet. They leave when they are published.
create table unpublished_operations (
    publication_id bigint not null,
    operation_id   text not null,
    payment_id     text not null,
    status         text not null,
    -- after this version of the payment it is published; null: there is no such payment
    version        integer,
    at             timestamptz not null,
    document       json not null,
    primary key (publication_id, operation_id, status)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
