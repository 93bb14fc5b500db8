"""Bugs of what goes by account: objects, calls, sweeps, budgets, and what waits."""

from typing import Final

from tests.mutants.planted import Bug

_APART: Final = "tests/processor/accounts/test_sweeps_apart.py::test_{}"
_BUDGET: Final = "tests/processor/worker/test_rate_budget.py::test_{}"
_CLAIMS: Final = "tests/processor/worker/test_call_claims.py::test_{}"
_CLIENTS: Final = "tests/providers/test_file_clients.py::test_{}"
_FILE: Final = "tests/providers/test_file_accounts.py::test_{}"
_LISTED: Final = "tests/processor/worker/sweeps/test_listed_events.py::test_{}"
_RECONCILER: Final = "tests/processor/worker/sweeps/test_reconciler.py::test_{}"
_ROUTE: Final = "tests/ingress/routes/test_accounts.py::test_{}"
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
    Bug(
        "worker",
        "processor.worker.sweeps.reconciler:Reconciler._table",
        "pace, translator = Pace(settings.reconcile_per_s), translators.get(name)",
        "pace = vars(self).setdefault('pace', Pace(settings.reconcile_per_s))\n"
        "            translator = translators.get(name)",
        "with ten accounts each is asked a tenth as often as the settings say",
        (_APART.format("one_accounts_pace_slows_no_other"),),
        servers=True,
    ),
    Bug(
        "worker",
        "processor.worker.sweeps.reconciler:Reconciler._table",
        "translators.get(name)",
        "translators.get('stripe')",
        "each look at a further account's object is recorded, although nothing has changed",
        (_APART.format("what_a_look_finds_is_read_as_its_account_does"),),
        servers=True,
    ),
    Bug(
        "worker",
        "processor.worker.sweeps.part_list:PartListSweep.__init__",
        'f"{access.provider}/parts/{kind}"',
        'f"parts/{kind}"',
        "refunds are listed in one account a day, whichever is read first",
        (_APART.format("each_accounts_lists_are_read_to_their_own_ends"),),
        servers=True,
    ),
    Bug(
        "worker",
        "processor.worker.sweeps.event_list:EventListSweep.run",
        "access.store.write_cursor(access.provider,",
        'access.store.write_cursor("stripe",',
        "every account's event list is read from another account's event on",
        (_APART.format("each_accounts_event_list_goes_on_after_its_own_events"),),
        servers=True,
    ),
    Bug(
        "providers",
        "providers.file_accounts:FileAccounts.clients",
        "asks[name]",
        "asks['stripe']",
        "a further account's requests are counted in the first one's budget",
        (_CLIENTS.format("a_request_takes_from_the_budget_of_its_account"),),
    ),
    Bug(
        "providers",
        "providers.file_accounts:FileAccounts.client",
        'is_live=a.mode == "live"',
        "is_live=False",
        "what is fetched of a live account is ignored as test data",
        (_CLIENTS.format("what_is_fetched_has_the_mode_of_its_account"),),
    ),
    Bug(
        "providers",
        "providers.file_accounts:FileAccounts.client_secret_readers",
        "continue",
        "break",
        "one account without a read key leaves those after it without client secrets",
        (_CLIENTS.format("a_client_secret_is_read_of_the_account_that_has_the_payment"),),
    ),
    Bug(
        "providers",
        "providers.file_accounts:file_accounts",
        "(each for each in secrets if each is not None)",
        "secrets",
        "no program starts with a webhook secret in a variable",
        (_FILE.format("a_secret_may_be_a_variable"),),
    ),
    Bug(
        "providers",
        "providers.file_accounts:check_accounts",
        '"live" if own.stripe_livemode else "test"',
        '"test"',
        "a live account is in the settings and in the file: its payments have two names",
        (_FILE.format("the_environments_live_account_is_not_in_the_file_too"),),
    ),
    Bug(
        "providers",
        "providers.file_accounts:Bound.read",
        "{self._known[name][0]}",
        "{a.account}",
        "the log names the wrong account as that to which payments are bound",
        (_FILE.format("a_name_stays_with_its_account"),),
    ),
    Bug(
        "worker",
        "processor.worker.sweeps.listed_events:ListedEvents._is_published",
        "or event_id in self._met",
        "",
        "an event that shifts to the next page while it is read is published twice",
        (_LISTED.format("what_one_reading_meets_twice_is_published_once"),),
    ),
    Bug(
        "worker",
        "processor.worker.sweeps.listed_events:ListedEvents.begin",
        "self._met = set()",
        "pass",
        "after an interruption what is not listed any more fills the memory",
        (_LISTED.format("what_is_not_listed_any_more_is_forgotten_after_an_interruption_too"),),
    ),
    Bug(
        "worker",
        "processor.worker.sweeps.listed_events:ListedEvents.published",
        "event.at is None or self._is_past",
        "event.at is None",
        "the cursor passes an event beside which others may still appear",
        (_LISTED.format("nothing_behind_an_event_that_has_not_settled_settles"),),
    ),
    Bug(
        "worker",
        "processor.worker.sweeps.listed_events:ListedEvents.published",
        "*([self._newest] if self._newest else ())",
        "",
        "a list whose last page has no time is read again from its beginning for ever",
        (_LISTED.format("a_page_without_a_time_does_not_undo_what_the_page_before_has_shown"),),
    ),
    Bug(
        "ingress",
        "ingress.routes.webhooks:_receive",
        "context.metrics.rejected_webhooks.labels(reader.name, error.slug)",
        "context.metrics.rejected_webhooks.labels(reader.provider, error.slug)",
        "nobody can say which of a hundred accounts has a wrong webhook secret",
        (_ROUTE.format("what_is_wrong_with_an_accounts_webhooks_is_counted_for_it"),),
    ),
    Bug(
        "ingress",
        "ingress.routes.webhooks:_verified",
        "context.metrics.unreadable_webhooks.labels(reader.name)",
        "context.metrics.unreadable_webhooks.labels(reader.provider)",
        "nobody can say which of a hundred accounts has a wrong kind of endpoint",
        (_ROUTE.format("what_is_wrong_with_an_accounts_webhooks_is_counted_for_it"),),
    ),
    Bug(
        "worker",
        "processor.worker.rate_budget:SharedBudget.take",
        "waited_s = self._now() - began",
        "waited_s = self._now()",
        "the wait for the budget is shown as the age of the process",
        (_BUDGET.format("how_long_a_request_waited_is_measured"),),
    ),
)
