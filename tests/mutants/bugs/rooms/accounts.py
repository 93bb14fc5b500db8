"""Bugs of several accounts at a provider: whose events, keys, secrets and payments they are."""

from typing import Final

from tests.mutants.planted import Bug

_COMMAND: Final = "tests/processor/ops/test_accounts.py::test_{}"
_EDITING: Final = "tests/schemas/accounts/test_editing.py::test_{}"
_FILE: Final = "tests/providers/test_file_accounts.py::test_{}"
_FOLD: Final = "tests/processor/decisions/test_other_account.py::test_{}"
_RELOADING: Final = "tests/providers/test_reloading.py::test_{}"
_ROUTE: Final = "tests/ingress/routes/test_accounts.py::test_{}"
_SECRETS: Final = "tests/schemas/accounts/test_secret_references.py::test_{}"

BUGS: Final = (
    Bug(
        "stream",
        "decisions.fold:_Fold._foreign",
        "payment is not None and received.provider not in {None, payment.provider}",
        "False",
        "who may write in one account changes the payments of every other",
        (_FOLD.format("an_event_of_another_account_changes_nothing"),),
    ),
    Bug(
        "stream",
        "decisions.fold:_of_other_account",
        "refused=True",
        "refused=False",
        "a forged event uses up the event ID of the true one",
        (_FOLD.format("it_does_not_use_up_its_event_id"),),
    ),
    Bug(
        "ingress",
        "ingress.routes.webhooks:_reader",
        "or reader.provider != provider",
        "",
        "an account has an address that nobody configured",
        (_ROUTE.format("no_other_address_exists"),),
    ),
    Bug(
        "ingress",
        "ingress.routes.webhooks:receive_webhook",
        "webhook.provider or reader.name",
        "reader.name",
        "a connected account's events are refused as foreign",
        (_ROUTE.format("a_platforms_address_has_the_events_of_its_connected_accounts"),),
    ),
    Bug(
        "ingress",
        "ingress.routes.payment_commands:_provider",
        "provider not in accounts.names or",
        "",
        "a tenant takes money into another tenant's account",
        (_ROUTE.format("no_tenant_uses_an_account_that_it_may_not"),),
    ),
    Bug(
        "ingress",
        "ingress.accounts:AccountChoice.of",
        "self.named.get(tenant, self.others)",
        "self.others",
        "a tenant's payments go into the default account of all",
        (_ROUTE.format("a_payment_has_the_account_it_names_or_its_tenants_default"),),
    ),
    Bug(
        "providers",
        "providers.file_accounts:FileAccounts.clients",
        "connected=a.account if a.platform else None",
        "connected=None",
        "a shop's money goes to its platform",
        (_FILE.format("a_request_has_the_accounts_key_and_names_a_connected_account"),),
    ),
    Bug(
        "providers",
        "providers.file_accounts:FileAccounts._api_key",
        "a if a.platform is None else self.file.accounts.get(a.platform)",
        "self.file.accounts.get(a.platform or '')",
        "every account is asked with the environment's key",
        (_FILE.format("a_request_has_the_accounts_key_and_names_a_connected_account"),),
    ),
    Bug(
        "providers",
        "providers.file_accounts:FileAccounts._api_key",
        'check_mode(f"accounts.{name}.api_key", key, a)',
        "pass",
        "test payments are made with a live key",
        (_FILE.format("a_secret_that_cannot_be_had_stops_the_start"),),
    ),
    Bug(
        "providers",
        "providers.file_accounts:FileAccounts.of_platform",
        "if a.platform == platform",
        "if a.platform",
        "one platform's endpoint speaks for another's accounts",
        (_FILE.format("a_platforms_endpoint_knows_its_connected_accounts"),),
    ),
    Bug(
        "providers",
        "providers.file_accounts:FileAccounts.translators",
        'Account(a.account, a.mode == "live")',
        "Account(a.account, True)",
        "an account in test mode refuses its own events",
        (_FILE.format("an_event_must_be_of_the_account_and_mode"),),
    ),
    Bug(
        "providers",
        "providers.file_accounts:file_accounts",
        "(*a.webhook_secrets, a.read_api_key)",
        "(a.read_api_key,)",
        "a secret's file that is rewritten needs a restart",
        (_FILE.format("secrets_are_rotated_without_a_restart_and_without_a_gap"),),
    ),
    Bug(
        "providers",
        "providers.reloading:Reloading._made",
        "_, files = self._make()\n        stamps = _stamps(files)",
        "current, files = self._make()\n        stamps = _stamps(files)\n"
        "        return current, files, stamps",
        "a change while the file is read is missed",
        (_RELOADING.format("a_change_while_it_is_read_is_not_missed"),),
    ),
    Bug(
        "providers",
        "schemas.accounts.secret_references:secret_of",
        "found.strip()",
        "found",
        "the line break at the end of a mounted secret is part of the key",
        (_SECRETS.format("a_variable_or_a_file_holds_the_secret"),),
    ),
    Bug(
        "providers",
        "providers.stripe.access.fetched:is_list",
        "and all(isinstance(item, dict) for item in items)",
        "",
        "an answer of something between is taken for a page of Stripe's",
        ("tests/providers/stripe/access/test_forms.py",),
    ),
    Bug(
        "ops",
        "processor.ops.invariants:bound_to_one_account",
        "payment.payment.provider != account",
        "False",
        "an audit does not see that another account's event changed a payment",
        ("tests/processor/ops/test_invariants.py",),
    ),
    Bug(
        "cli",
        "schemas.accounts.editing:with_account",
        "if name in accounts:",
        "if False:",
        "adding an account replaces another one's keys",
        (_EDITING.format("an_account_is_added_at_the_end_and_an_existing_one_is_never_changed"),),
    ),
    Bug(
        "cli",
        "schemas.accounts.editing:rewrite",
        "check(parsed(path, changed))",
        "check(parsed(path, document))",
        "a command writes a file that no program starts with",
        (_COMMAND.format("an_account_that_cannot_be_is_not_added"),),
    ),
    Bug(
        "cli",
        "schemas.accounts.editing:rewrite",
        "path = path.resolve()",
        "",
        "a link is replaced by a file, and what it pointed to is not changed",
        (_EDITING.format("what_a_link_points_to_is_replaced"),),
    ),
    Bug(
        "cli",
        "schemas.accounts.editing:_alone_in",
        "fcntl.flock(descriptor, fcntl.LOCK_EX)",
        "pass",
        "of two changes at a time one is lost",
        (_EDITING.format("two_changes_at_a_time_are_both_written"),),
    ),
    Bug(
        "cli",
        "schemas.accounts.editing:_replace",
        "os.fchmod(new.fileno(), stat.S_IMODE(before.st_mode))",
        "pass",
        "programs of another user can't read the file any more",
        (_EDITING.format("the_file_is_replaced_as_a_whole"),),
    ),
    Bug(
        "providers",
        "providers.registry:check_file",
        "_check_tenants(file, own_accounts())",
        "pass",
        "a tenant's account is named wrong, and no program starts",
        (_COMMAND.format("a_tenant_of_an_account_that_does_not_exist_is_named_before_any_change"),),
    ),
)
