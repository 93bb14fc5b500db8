-- When the event happened up to which a provider's event list is read. Null: stored by an earlier
-- release; then the list is read again from its beginning, once.
alter table cursors add column happened_at timestamptz;
