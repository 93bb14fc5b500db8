-- Refunds, disputes and fraud warnings that were published because a list of them had something new,
-- by event ID. Not all get an outcome under it: one may become a dead letter, or be refused. Without
-- this, each reading of the list would publish those again.
create table published_parts (
    event_id    text primary key,
    recorded_at timestamptz not null
);
create index published_parts_by_age on published_parts (recorded_at);
