"""Bugs of what goes by account in Postgres: objects, calls, looks, and what waits."""

from typing import Final

from tests.mutants.planted import Bug

_CLAIMS: Final = "tests/processor/worker/test_call_claims.py::test_{}"
_RECONCILER: Final = "tests/processor/worker/sweeps/test_reconciler.py::test_{}"
_SAME: Final = "tests/processor/accounts/test_same_objects.py::test_{}"
_UNKNOWN: Final = "tests/processor/accounts/test_unknown.py::test_{}"

BUGS: Final = (
    Bug(
        "sql",
        "postgres.looks:OWNERS",
        "where (provider, object_id) in (select %s, unnest(%b::text[]))",
        "where %s <> '' and object_id = any(%b::text[])",
        "a refund in one account is published for a payment of another",
        (_SAME.format("a_list_of_parts_names_the_payments_of_its_own_account"),),
        servers=True,
    ),
    Bug(
        "sql",
        "postgres.history:_SEND_ON",
        "p.provider = i.headers ->> %(provider)s",
        "%(provider)s <> ''",
        "what waited in vain in one account is a conflict of another account's payment",
        (_SAME.format("what_waits_in_vain_is_not_sent_to_another_accounts_payment"),),
        servers=True,
    ),
    Bug(
        "sql",
        "postgres.history:_GIVE_UP",
        "where p.provider = inbox.headers ->> %s",
        "where %s <> ''",
        "what waits in vain waits for ever, because another account has an object of that ID",
        (_SAME.format("what_waits_in_vain_is_not_sent_to_another_accounts_payment"),),
        servers=True,
    ),
    Bug(
        "sql",
        "postgres.looks:PLAN",
        "next_at = excluded.next_at, unchanged = 0)",
        "next_at = excluded.next_at)",
        "a payment that changes after days is looked at a day later",
        (_RECONCILER.format("a_payment_that_has_changed_is_looked_at_as_often_as_at_first"),),
        servers=True,
    ),
    Bug(
        "sql",
        "postgres.outbox:CLAIM",
        "and provider = %(provider)s and next_attempt_at <= %(now)s\n"
        "            and coalesce(key_first_used_at, 'infinity') >",
        "and next_attempt_at <= %(now)s\n            and coalesce(key_first_used_at, 'infinity') >",
        "calls of an account that is cut off take the places of another's",
        (_CLAIMS.format("another_providers_calls_are_not_claimed"),),
        servers=True,
    ),
    Bug(
        "sql",
        "postgres.outbox:CLAIM",
        "and provider = %(provider)s and next_attempt_at <= %(now)s\n"
        "            and coalesce(key_first_used_at, 'infinity') <=",
        "and next_attempt_at <= %(now)s\n"
        "            and coalesce(key_first_used_at, 'infinity') <=",
        "look-ups of one account take the places of another's",
        (_CLAIMS.format("another_providers_calls_are_not_claimed"),),
        servers=True,
    ),
    Bug(
        "sql",
        "postgres.batch.waiting:decode_waiting",
        "continue",
        "break",
        "one record that can't be read hides what waits for every payment after it",
        (_UNKNOWN.format("what_can_not_be_read_of_one_payment_hides_nothing_of_another"),),
        servers=True,
    ),
)
