-- Reports of providers that they never made an event. Each is followed once: its content is fetched,
-- and the payment of the object that it names is looked at.
create table notices (
    event_id    text primary key,
    provider    text not null,
    kind        text not null,
    -- in whose name the content is fetched; null: the account's own
    context     text,
    received_at timestamptz not null,
    recorded_at timestamptz not null,
    attempts    integer not null default 0 check (attempts >= 0),
    -- when it is followed, or followed again; null once it has an outcome
    next_at     timestamptz,
    last_error  text,
    outcome     text check (outcome in ('looked', 'ignored', 'given_up')),
    reason      text,
    constraint followed_has_outcome check ((next_at is null) = (outcome is not null)),
    constraint outcome_has_reason check ((outcome is null) = (reason is null))
);
create index notices_due on notices (provider, next_at) where next_at is not null;
create index notices_by_age on notices (recorded_at);
-- When a look was last wished for that is taken in any case, also of a final payment, and with its
-- refunds, disputes and fraud warnings. Null: the look is an ordinary one.
alter table looks add column wished_at timestamptz;
