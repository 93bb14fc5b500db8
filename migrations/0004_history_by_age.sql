-- What is too old is found by its age, a few rows at a time.
create index inbox_by_age on inbox (recorded_at);
create index duplicates_by_age on duplicates (recorded_at);
create index dead_letters_by_age on dead_letters (recorded_at);
create index ignored_webhooks_by_age on ignored_webhooks (recorded_at);
create index inbox_parked_by_age on inbox (recorded_at) where outcome = 'parked';
