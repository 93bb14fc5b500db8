-- Webhooks that are about no payment of ours and could have no effect on one: what became of them,
-- for whoever asks. They were never anybody's to process.
create table ignored_webhooks (
    event_id    text primary key,
    provider    text not null,
    kind        text not null,
    reason      text not null,
    received_at timestamptz not null,
    recorded_at timestamptz not null
);
