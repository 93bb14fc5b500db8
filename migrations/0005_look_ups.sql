-- A call whose key the provider may have forgotten is looked up, which takes long. So look-ups are
-- claimed apart from calls, by when the key was first used; null is a key that was not used yet. The
-- index has that time as its last column, so that the one are found among many of the other without
-- reading them. It serves the release before this one too.
create index provider_calls_due_again on provider_calls
    (provider, next_attempt_at, coalesce(key_first_used_at, 'infinity'::timestamptz))
    where state = 'due' and attempts > 0;
drop index provider_calls_due;
