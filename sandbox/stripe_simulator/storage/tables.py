"""The simulator's tables."""

SCHEMA = """
-- The current state of every Stripe object except events, in the order of creation.
create table if not exists objects (
    seq integer primary key autoincrement,
    kind text not null,
    id text not null unique,
    created integer not null,
    payment_intent text,
    charge text,
    body text not null
);
create index if not exists objects_of_kind on objects (kind, seq);
create index if not exists objects_of_payment on objects (payment_intent, kind, seq);
create index if not exists objects_of_charge on objects (charge, kind, seq)
    where charge is not null;

-- The test card of each payment method.
create table if not exists cards (
    payment_method text primary key,
    name text not null
) without rowid;

-- `body` has the newest version's form; the list shows it in `listed_in`, or not at all.
create table if not exists events (
    seq integer primary key autoincrement,
    id text not null unique,
    type text not null,
    created integer not null,
    object_id text not null,
    payment_intent text,
    body text not null,
    listed_in text,
    listed_from integer not null default 0
);
create index if not exists events_of_payment on events (payment_intent, seq);

-- An event in the form of an older version, of the account or of an endpoint.
create table if not exists renderings (
    event_seq integer not null,
    version text not null,
    body text not null,
    primary key (event_seq, version)
) without rowid;

-- `due` is wall time, `created` the simulator's; both in seconds since the Unix epoch.
create table if not exists deliveries (
    id integer primary key autoincrement,
    event_seq integer not null,
    endpoint text not null,
    kind text not null,
    fault text,
    state text not null,
    attempts integer not null default 0,
    due real not null,
    created real not null
);
create index if not exists deliveries_pending on deliveries (due) where state = 'pending';
create index if not exists deliveries_of_event on deliveries (event_seq, endpoint);
create index if not exists deliveries_owed on deliveries (event_seq)
    where kind = 'first' and state <> 'delivered';

create table if not exists idempotency_keys (
    key text primary key,
    generation integer not null,
    path text not null,
    fingerprint text not null,
    first_used real not null,
    status integer not null,
    request_id text not null,
    body text not null
) without rowid;

create table if not exists executions (
    seq integer primary key autoincrement,
    operation text not null,
    path text not null,
    idempotency_key text,
    generation integer,
    request_id text not null,
    status integer not null,
    created real not null,
    metadata text not null,
    objects text not null
);
create index if not exists executions_of_key on executions (idempotency_key, seq);

-- Scheduled changes; `due` is the simulator's time.
create table if not exists timers (
    id integer primary key autoincrement,
    due real not null,
    kind text not null,
    object_id text not null,
    detail text
);
create index if not exists timers_due on timers (due, id);

create table if not exists counters (
    name text primary key,
    value integer not null
) without rowid;

create table if not exists notes (
    name text primary key,
    value text not null
) without rowid;
"""

TABLES = (
    "objects",
    "cards",
    "events",
    "renderings",
    "deliveries",
    "idempotency_keys",
    "executions",
    "timers",
    "counters",
    "notes",
)
