"""Builds the adapters of all accounts at providers. A new provider adds a folder, and lines here.

An account has a name. Those of the environment's settings have their providers' names; the file
of ``PAYMENTS_ACCOUNTS_FILE`` adds others.
"""

import logging
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Final

from pydantic import SecretStr

from ports.account_check import AccountCheck
from ports.notices import GapFinder, NoticeReader, NoticeTranslator
from ports.provider import (
    Account,
    ClientSecretReader,
    MoneyRules,
    ProviderClient,
    Translator,
    WebhookReader,
)
from ports.rate_budget import UNLIMITED, RateBudget, RateLimit, RequestBudget, RequestClass
from providers.examplepay.client import ExamplePayApi
from providers.examplepay.client_secrets import ExamplePayClientSecrets
from providers.examplepay.money import ExamplePayMoney
from providers.examplepay.webhooks import ExamplePayTranslator, ExamplePayWebhooks
from providers.file_accounts import STRIPE, Bound, FileAccounts, check_accounts, file_accounts
from providers.own_accounts import own_accounts
from providers.reloading import Made, Reloading
from providers.stripe.access.account_check import StripeAccountCheck
from providers.stripe.access.api_keys import is_live_key
from providers.stripe.client import StripeApi
from providers.stripe.client_secrets import StripeClientSecrets
from providers.stripe.currencies import StripeMoney
from providers.stripe.notices.gaps import StripeGaps
from providers.stripe.notices.reading import StripeNotices, StripeNoticeTranslator
from providers.stripe.webhooks import StripeTranslator, StripeWebhooks
from schemas.accounts.provider_accounts import AccountFile, ProviderAccount, TenantAccounts
from schemas.groups.rate_settings import RateSettings
from schemas.settings import (
    ExamplePaySettings,
    SettingsError,
    StripeAccountSettings,
    StripeAddressSettings,
    StripeReadSettings,
    StripeSettings,
    StripeWebhookSettings,
    load,
)

#: The provider of an account that is added to the file.
FILE_PROVIDER: Final = STRIPE
#: Requests that Stripe takes from an account in one second, where it was not raised.
STRIPE_LIVE_PER_S: Final = 100.0
STRIPE_TEST_PER_S: Final = 25.0


def readers() -> Mapping[str, WebhookReader]:
    """Returns each account's webhook reader by name. It follows the file: secrets are rotated so.

    Raises SettingsError if settings or the file are missing or wrong.
    """
    bound = Bound()

    def make() -> Made[WebhookReader]:
        further = bound.read()
        return {**_own_readers(further), **further.readers(_now)}, further.paths

    return Reloading(make)


def _own_readers(further: FileAccounts) -> Mapping[str, WebhookReader]:
    stripe = load(StripeWebhookSettings)
    secrets, tolerance_s = stripe.stripe_webhook_secrets, stripe.stripe_webhook_tolerance_s
    connected = further.of_platform(STRIPE)
    adapters: list[WebhookReader] = [
        StripeWebhooks(secrets, tolerance_s, _now, connected=connected)
    ]
    example = load(ExamplePaySettings)
    if (others := example.examplepay_webhook_secrets) is not None:
        adapters.append(ExamplePayWebhooks(others, example.examplepay_webhook_tolerance_s, _now))
    return {reader.name: reader for reader in adapters}


def notice_readers() -> Mapping[str, NoticeReader]:
    """Returns the same of the accounts that have an endpoint for notices."""
    bound = Bound()

    def make() -> Made[NoticeReader]:
        further, own = bound.read(), load(StripeWebhookSettings)
        found: dict[str, NoticeReader] = dict(further.notice_readers(_now))
        if (secrets := own.stripe_notice_secrets) is not None:
            found[STRIPE] = StripeNotices(secrets, own.stripe_webhook_tolerance_s, _now)
        return found, further.paths

    return Reloading(make)


def money_rules() -> Mapping[str, MoneyRules]:
    """Returns what each account's provider can charge, by the account's name; follows the file."""
    bound = Bound()

    def make() -> Made[MoneyRules]:
        rules: list[MoneyRules] = [StripeMoney(), ExamplePayMoney()]
        own, further = {each.name: each for each in rules}, bound.read()
        return own | {n: own[a.provider] for n, a in further.file.accounts.items()}, further.paths

    return Reloading(make)


def all_accounts() -> tuple[Mapping[str, ProviderAccount], AccountFile]:
    """Returns the environment's accounts as the file would have them, and the file.

    Neither needs a secret, nor is one read. Raises SettingsError.
    """
    return own_accounts(), file_accounts().file


def environment_accounts() -> tuple[str, ...]:
    """Returns the names of the accounts in the environment's settings. Raises SettingsError."""
    return tuple(_own_readers(file_accounts()))


def tenant_accounts() -> Mapping[str, TenantAccounts]:
    """Returns the accounts of each tenant that the file names; follows the file.

    Raises SettingsError if a tenant may use an account that does not exist.
    """
    bound = Bound()

    def make() -> Made[TenantAccounts]:
        further = bound.read()
        further.readers(_now)  # without its secrets an account takes no payment
        _check_tenants(further.file, environment_accounts())
        return further.file.tenants, further.paths

    return Reloading(make)


def _check_tenants(file: AccountFile, of_environment: Iterable[str]) -> None:
    known = {*of_environment, *file.accounts}
    for tenant, each in file.tenants.items():
        if missing := sorted(each.names - known):
            raise SettingsError(f"tenants.{tenant}: there is no account {', '.join(missing)}")


def check_file(file: AccountFile) -> None:
    """Raises SettingsError for what a program would not start with, secrets aside."""
    check_accounts(file)
    _check_tenants(file, own_accounts())


def translators() -> Mapping[str, Translator]:
    """Returns each account's translator by name; follows the file. Translators need no secret.

    A provider without settings has a translator too, for its records that are still in the log.
    They were verified on arrival, and no more can arrive. Raises SettingsError.
    """
    bound = Bound()

    def make() -> Made[Translator]:
        further = bound.read()
        return {**_own_translators(), **further.translators()}, further.paths

    return Reloading(make, looks_for_unknown=True)  # the ingress has read the file already


def _own_translators() -> Mapping[str, Translator]:
    example = load(ExamplePaySettings)
    name, is_live = example.examplepay_account, example.examplepay_livemode
    adapters: list[Translator] = [
        StripeTranslator(_own_account()),
        ExamplePayTranslator(Account(name, is_live) if name and is_live is not None else None),
    ]
    return {translator.name: translator for translator in adapters}


def notice_translators() -> Mapping[str, NoticeTranslator]:
    """Returns what reads the notices of each account that can have an endpoint for them."""
    bound = Bound()

    def make() -> Made[NoticeTranslator]:
        further = bound.read()
        own = StripeNoticeTranslator(_own_account(), STRIPE, further.of_platform(STRIPE))
        return {STRIPE: own, **further.notice_translators()}, further.paths

    return Reloading(make, looks_for_unknown=True)


def gap_finders(clients: Mapping[str, ProviderClient]) -> Mapping[str, GapFinder]:
    """Returns what fetches notices, for the accounts that have any, through clients of ours."""
    further, own = file_accounts(), _own_account()
    return {
        name: StripeGaps(
            each, own if name == STRIPE else further.bound(name), name, further.of_platform(name)
        )
        for name, each in clients.items()
        if isinstance(each, StripeApi) and name in {STRIPE, *further.file.accounts}
    }


def _own_account() -> Account:
    own = load(StripeAccountSettings)
    return Account(own.stripe_account, own.stripe_livemode)


def rate_limits() -> Mapping[str, RateLimit]:
    """Returns how often each account's provider takes requests, by name. Raises SettingsError."""
    rates, account = load(RateSettings), load(StripeAccountSettings)
    is_live, name = account.stripe_livemode, account.stripe_account
    per_s = rates.stripe_requests_per_s or (STRIPE_LIVE_PER_S if is_live else STRIPE_TEST_PER_S)
    narrow = rates.stripe_endpoint_requests_per_s
    limits = {"stripe": RateLimit(f"stripe/{name}/{_mode(is_live=is_live)}", per_s, narrow)}
    example = load(ExamplePaySettings)
    if (merchant := example.examplepay_account) is not None:
        mode = _mode(is_live=bool(example.examplepay_livemode))
        account_name = f"examplepay/{merchant}/{mode}"
        limits["examplepay"] = RateLimit(account_name, rates.examplepay_requests_per_s)
    by_mode = {"live": STRIPE_LIVE_PER_S, "test": STRIPE_TEST_PER_S}
    return {**limits, **file_accounts().rate_limits(by_mode, narrow)}


def clients(budgets: Mapping[str, RateBudget], reads: RequestClass) -> Mapping[str, ProviderClient]:
    """Returns each account's client by name. Raises SettingsError.

    Args:
        budgets: the rate budgets, by account.
        reads: what the clients' requests are for that are no calls: look-ups, or sweeps.
    """
    logging.getLogger(STRIPE).setLevel(logging.WARNING)  # its package logs each request twice
    asks = {name: RequestBudget(budget, reads) for name, budget in budgets.items()}
    adapters: list[ProviderClient] = [_own_client(asks["stripe"])]
    example = load(ExamplePaySettings)
    address, key = example.examplepay_api_base, example.examplepay_api_key
    if address is not None and key is not None:
        timeout_s = example.examplepay_timeout_s
        adapters.append(ExamplePayApi(address, key, timeout_s, asks["examplepay"]))
    adapters.extend(file_accounts().clients(asks).values())
    return {client.name: client for client in adapters}


def _own_client(ask: RequestBudget) -> StripeApi:
    stripe, reached = load(StripeSettings), load(StripeAddressSettings)
    _check_mode("PAYMENTS_STRIPE_API_KEY", stripe.stripe_api_key)
    is_live = load(StripeAccountSettings).stripe_livemode
    return StripeApi(stripe, reached.stripe_api_base, budget=ask, is_live=is_live)


def account_check(name: str) -> AccountCheck | None:
    """Returns the check of one account; None if its provider has none.

    Its requests are not counted in any rate budget. Raises SettingsError, also if the account's
    key can't be had or is of the other mode.
    """
    further = file_accounts()
    if name == STRIPE:
        return _own_check(_own_client(UNLIMITED))
    if name not in further.file.accounts:
        return None
    return further.check(name, further.client(name, UNLIMITED))


def account_checks(clients: Mapping[str, ProviderClient]) -> Mapping[str, AccountCheck]:
    """Returns the checks of the accounts that have one, through clients of ours, by name."""
    further = file_accounts()
    return {
        name: _own_check(each) if name == STRIPE else further.check(name, each)
        for name, each in clients.items()
        if isinstance(each, StripeApi) and name in {STRIPE, *further.file.accounts}
    }


def _own_check(api: StripeApi) -> AccountCheck:
    return StripeAccountCheck(api, _own_account(), f"/webhooks/{STRIPE}")


def client_secret_readers() -> Mapping[str, ClientSecretReader]:
    """Returns the readers of client secrets by the account's name. Raises SettingsError.

    Stripe's exist only with keys of their own: those that move money stay with the worker.
    """
    adapters: list[ClientSecretReader] = []
    stripe = load(StripeReadSettings)
    if (key := stripe.stripe_read_api_key) is not None:
        _check_mode("PAYMENTS_STRIPE_READ_API_KEY", key)
        address = load(StripeAddressSettings).stripe_api_base
        adapters.append(StripeClientSecrets(stripe, key.get_secret_value(), address))
    if load(ExamplePaySettings).examplepay_webhook_secrets is not None:
        adapters.append(ExamplePayClientSecrets())
    adapters.extend(file_accounts().client_secret_readers().values())
    return {reader.name: reader for reader in adapters}


def _mode(*, is_live: bool) -> str:
    return "live" if is_live else "test"


def _check_mode(variable: str, key: SecretStr) -> None:
    """Raises SettingsError for a key of the other mode than the account's."""
    is_live, account = is_live_key(key.get_secret_value()), load(StripeAccountSettings)
    if is_live is not None and is_live is not account.stripe_livemode:
        raise SettingsError(
            f"{variable} is a {_mode(is_live=is_live)} key, but "
            f"PAYMENTS_STRIPE_LIVEMODE is {str(account.stripe_livemode).lower()}: change one"
        )


def _now() -> datetime:
    return datetime.now(UTC)
