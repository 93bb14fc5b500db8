-- The order in which inputs were decided, which the log does not tell: commands, webhooks and results
-- come from topics without an order between them. A rebuild decides them again in this order.

-- One number per batch, drawn under the locks of its payments.
create sequence decision_batches;

-- The batch's number times a million, plus the input's place in it. It is set anew when an input that
-- waited is taken up. Null in rows from before this column: their payments can't be rebuilt.
alter table inbox add column decided bigint;

-- Dead letters that an operator sent to their topics again, by where they stand on dead-letters.
create table dead_letter_replays (
    partition   integer not null,
    "offset"    bigint not null,
    replayed_at timestamptz not null,
    primary key (partition, "offset")
);
