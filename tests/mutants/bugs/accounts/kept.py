"""Bugs of the file of accounts as programs follow it, and of the sweeps of each account."""

from typing import Final

from tests.mutants.planted import Bug

_CHANGES: Final = "tests/processor/ops/accounts/test_changes.py::test_{}"
_CHECKING: Final = "tests/processor/ops/accounts/test_check.py::test_{}"
_EDITING: Final = "tests/schemas/accounts/test_editing.py::test_{}"
_ENDPOINTS: Final = "tests/processor/worker/sweeps/test_endpoints.py::test_{}"
_EVENTS: Final = "tests/processor/worker/sweeps/test_event_list.py::test_{}"
_CLIENTS: Final = "tests/providers/test_file_clients.py::test_{}"
_PARTS: Final = "tests/processor/worker/sweeps/test_part_list.py::test_{}"
_REFUNDS: Final = "tests/providers/stripe/access/test_refund_look_up.py::test_{}"
_REGISTRY: Final = "tests/providers/test_registry.py::test_{}"
_RELOADING: Final = "tests/providers/test_reloading.py::test_{}"
_ROUTER: Final = "tests/processor/worker/routing/test_router.py::test_{}"

BUGS: Final = (
    Bug(
        "providers",
        "providers.stripe.access.look_ups:_ascribed",
        "and not any(ascribed.values())",
        "",
        "the answer to a refund names somebody's copy, though ours is proved",
        (
            _REFUNDS.format(
                "of_a_refund_that_its_own_event_proves_the_charges_event_proves_no_other"
            ),
        ),
    ),
    Bug(
        "providers",
        "providers.file_accounts:FileAccounts.client_secret_readers",
        "connected=a.account if a.platform else None",
        "connected=None",
        "a shop's customer gets no client secret, because its platform is asked",
        (_CLIENTS.format("a_client_secret_is_read_of_the_account_that_has_the_payment"),),
    ),
    Bug(
        "providers",
        "providers.file_accounts:FileAccounts.check",
        'f"/webhooks/{a.provider}/{name}"',
        'f"/webhooks/{a.provider}"',
        "the endpoint of the environment's account is taken for that of every other",
        (_CHECKING.format("an_account_of_the_file_has_an_endpoint_of_its_own_address"),),
    ),
    Bug(
        "providers",
        "providers.reloading:Reloading._reload",
        "if self._refused != str(error):",
        "if not self._refused:",
        "of two mistakes in the file the second one is in no log",
        (_RELOADING.format("each_reason_why_a_file_is_refused_is_logged_once"),),
    ),
    Bug(
        "providers",
        "providers.reloading:Reloading._reload",
        'self._refused = ""',
        "pass",
        "a mistake that is made again is in no log",
        (_RELOADING.format("each_reason_why_a_file_is_refused_is_logged_once"),),
    ),
    Bug(
        "providers",
        "providers.reloading:Reloading._latest",
        "self._next_at = self._now() + EVERY_S",
        "pass",
        "after its first second every look-up asks the file system about every file",
        (_RELOADING.format("a_known_name_costs_one_look_at_the_files_a_second"),),
    ),
    Bug(
        "providers",
        "providers.reloading:Reloading.__getitem__",
        "self._looks_for_unknown and name not in self._latest()",
        "self._looks_for_unknown",
        "every webhook that is decoded costs a look at every file",
        (_RELOADING.format("a_known_name_costs_one_look_at_the_files_a_second"),),
    ),
    Bug(
        "providers",
        "providers.reloading:_stamp",
        "found.st_ino",
        "0",
        "a file that was copied with its time is not followed",
        (_RELOADING.format("a_file_that_was_replaced_by_one_of_the_same_size_and_time_is_read"),),
    ),
    Bug(
        "worker",
        "processor.worker.sweeps.part_list:PartListSweep._is_recent",
        "at <= now <",
        "now <",
        "after a clock that was ahead for a moment refunds are looked for months later",
        (_PARTS.format("a_reading_in_the_future_counts_as_none"),),
        servers=True,
    ),
    Bug(
        "worker",
        "processor.worker.sweeps.endpoints:EndpointSweep.run",
        "turn.step(CHECK_TIMEOUT_S)",
        "turn.step()",
        "a worker is restarted because one provider is slow to describe an endpoint",
        (_ENDPOINTS.format("a_worker_is_not_restarted_while_a_provider_takes_its_time"),),
    ),
    Bug(
        "worker",
        "processor.worker.sweeps.access:Access.publish",
        "source).inc(len(made))",
        "source).inc()",
        "a hundred lost webhooks are counted as one",
        (_EVENTS.format("each_event_that_no_webhook_brought_is_counted"),),
        servers=True,
    ),
    Bug(
        "sql",
        "postgres.routing:IGNORE_WAITING",
        "on conflict do nothing",
        "",
        "what was ignored once becomes a dead letter as well",
        (_ROUTER.format("a_waiting_webhook_ends_beside_one_of_its_event_that_was_ignored"),),
        servers=True,
    ),
    Bug(
        "cli",
        "schemas.accounts.editing:_replace",
        "len(text) > BYTES_MAX",
        "False",
        "a command writes a file that is too large for every program to read",
        (_EDITING.format("a_file_that_would_be_too_large_to_be_read_is_not_written"),),
    ),
    Bug(
        "cli",
        "schemas.accounts.editing:_replace",
        "os.fchown(new.fileno(), before.st_uid, before.st_gid)",
        "pass",
        "a rotation by root takes the file away from the programs",
        (_EDITING.format("the_file_stays_with_its_owner"),),
    ),
    Bug(
        "providers",
        "providers.own_accounts:own_accounts",
        '"live" if stripe.stripe_livemode else "test"',
        '"test"',
        "the list shows a live account as one for tests",
        (_CHANGES.format("the_list_has_the_settings_accounts_in_their_modes"),),
    ),
    Bug(
        "providers",
        "providers.own_accounts:own_accounts",
        "if (merchant := other.examplepay_account) is not None:",
        "if (merchant := other.examplepay_account) is None and merchant:",
        "the list lacks the second provider's account",
        (_CHANGES.format("the_list_has_the_settings_accounts_in_their_modes"),),
    ),
    Bug(
        "providers",
        "providers.own_accounts:own_accounts",
        '_STRIPE.format("READ_API_KEY") if has_read_key else None',
        '_STRIPE.format("READ_API_KEY")',
        "the list shows a key that is not set",
        (_CHANGES.format("the_list_has_the_settings_accounts_in_their_modes"),),
    ),
    Bug(
        "providers",
        "providers.registry:account_check",
        "if name not in further.file.accounts:",
        "if False:",
        "a check of all accounts breaks off at the second provider",
        (_CHECKING.format("a_provider_without_a_check_is_shown_and_not_wrong"),),
    ),
    Bug(
        "providers",
        "providers.registry:account_checks",
        "if isinstance(each, StripeApi) and name in {STRIPE, *further.file.accounts}",
        "",
        "the worker does not start with a second provider",
        (_REGISTRY.format("every_account_whose_provider_has_a_check_is_checked"),),
    ),
    Bug(
        "providers",
        "providers.registry:_own_translators",
        "Account(name, is_live) if name and is_live is not None else None",
        "None",
        "the second provider's events of another account or mode are taken for ours",
        (_REGISTRY.format("an_event_of_the_second_provider_must_be_of_its_account_and_mode"),),
    ),
)
