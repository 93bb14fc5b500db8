"""The adapters of the accounts in the file ``PAYMENTS_ACCOUNTS_FILE``. Without it there are none.

Each program makes the adapters that it needs, so it reads no other secret than theirs.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from ports.provider import Account
from ports.rate_budget import RateLimit, RequestBudget
from providers.stripe.access.account_check import StripeAccountCheck
from providers.stripe.access.api_keys import is_live_key
from providers.stripe.client import StripeApi
from providers.stripe.client_secrets import StripeClientSecrets
from providers.stripe.notices.reading import StripeNotices, StripeNoticeTranslator
from providers.stripe.webhooks import StripeTranslator, StripeWebhooks
from schemas.accounts.provider_accounts import (
    AccountFile,
    AccountFileError,
    ProviderAccount,
    read_accounts,
)
from schemas.accounts.secret_references import SecretError, path_of, secret_of
from schemas.settings import (
    ACCOUNT_ID,
    AccountsSettings,
    SettingsError,
    StripeAccountSettings,
    StripeAddressSettings,
    StripeReadSettings,
    StripeSettings,
    StripeWebhookSettings,
    load,
)

#: The one provider whose accounts the file can have.
STRIPE: Final = "stripe"


@dataclass(frozen=True, slots=True)
class FileAccounts:
    """What the file says, checked against the environment's accounts."""

    file: AccountFile
    #: The file itself, and those of its secrets; empty without a file.
    paths: tuple[Path, ...]

    def of_platform(self, platform: str) -> Mapping[str, str]:
        """Returns the names of its connected accounts, by what the provider calls them."""
        return {a.account: name for name, a in self._all() if a.platform == platform}

    def _all(self) -> Iterator[tuple[str, ProviderAccount]]:
        yield from self.file.accounts.items()

    def _secret(self, name: str, field: str, reference: str) -> SecretStr:
        try:
            return secret_of(reference)
        except SecretError as error:
            raise SettingsError(f"accounts.{name}.{field}: {error}") from None

    def readers(self, clock: Callable[[], datetime]) -> Mapping[str, StripeWebhooks]:
        """Returns the webhook readers of the accounts that have endpoints."""
        tolerance_s = load(StripeWebhookSettings).stripe_webhook_tolerance_s
        return {
            name: StripeWebhooks(
                [self._secret(name, "webhook_secrets", each) for each in a.webhook_secrets],
                tolerance_s, clock, name, self.of_platform(name),
            )
            for name, a in self._all()
            if a.platform is None
        }  # fmt: skip

    def notice_readers(self, clock: Callable[[], datetime]) -> Mapping[str, StripeNotices]:
        """Returns the readers of notices, of the accounts that have an endpoint for them."""
        tolerance_s = load(StripeWebhookSettings).stripe_webhook_tolerance_s
        return {
            name: StripeNotices(
                [self._secret(name, "notice_secrets", each) for each in a.notice_secrets],
                tolerance_s, clock, name,
            )
            for name, a in self._all()
            if a.notice_secrets
        }  # fmt: skip

    def notice_translators(self) -> Mapping[str, StripeNoticeTranslator]:
        """Returns what reads notices of the accounts that can have an endpoint for them."""
        return {
            name: StripeNoticeTranslator(self.bound(name), name, self.of_platform(name))
            for name, a in self._all()
            if a.platform is None
        }

    def bound(self, name: str) -> Account:
        """Returns an account as its provider names it."""
        a = self.file.accounts[name]
        return Account(a.account, a.mode == "live")

    def translators(self) -> Mapping[str, StripeTranslator]:
        """Returns the translators. They need no secret."""
        return {name: StripeTranslator(self.bound(name), name) for name, _ in self._all()}

    def rate_limits(
        self, default_per_s: Mapping[str, float], endpoint_per_s: float
    ) -> Mapping[str, RateLimit]:
        """Returns how often each account may be asked; ``default_per_s`` is by mode."""
        return {
            name: RateLimit(
                f"{a.provider}/{a.account}/{a.mode}",
                a.requests_per_s or default_per_s[a.mode],
                a.endpoint_requests_per_s or endpoint_per_s,
            )
            for name, a in self._all()
        }

    def clients(self, asks: Mapping[str, RequestBudget]) -> Mapping[str, StripeApi]:
        """Returns the clients, with their accounts' own keys or those of their platforms."""
        return {name: self.client(name, asks[name]) for name, _ in self._all()}

    def client(self, name: str, ask: RequestBudget) -> StripeApi:
        """Returns the client of one account. Raises SettingsError."""
        stripe, address = load(StripeSettings), load(StripeAddressSettings).stripe_api_base
        a = self.file.accounts[name]
        key = self._api_key(name, a, stripe.stripe_api_key)
        return StripeApi(
            stripe.model_copy(update={"stripe_api_key": key}), address, budget=ask,
            is_live=a.mode == "live", name=name,
            connected=a.account if a.platform else None,
        )  # fmt: skip

    def check(self, name: str, api: StripeApi) -> StripeAccountCheck:
        """Returns the check of one account, through its client."""
        a = self.file.accounts[name]
        endpoint = None if a.platform else f"/webhooks/{a.provider}/{name}"
        return StripeAccountCheck(api, Account(a.account, a.mode == "live"), endpoint, a.platform)

    def _api_key(self, name: str, a: ProviderAccount, of_environment: SecretStr) -> SecretStr:
        """Returns the key of the account, or of its platform. Raises SettingsError."""
        owner = a if a.platform is None else self.file.accounts.get(a.platform)
        if owner is None or owner.api_key is None:
            return of_environment
        key = self._secret(name, "api_key", owner.api_key)
        check_mode(f"accounts.{name}.api_key", key, a)
        return key

    def client_secret_readers(self) -> Mapping[str, StripeClientSecrets]:
        """Returns the readers of client secrets, of the accounts that have a key for it."""
        settings, address = load(StripeReadSettings), load(StripeAddressSettings).stripe_api_base
        made = {}
        for name, a in self._all():
            if a.read_api_key is None:
                continue
            key = self._secret(name, "read_api_key", a.read_api_key)
            check_mode(f"accounts.{name}.read_api_key", key, a)
            made[name] = StripeClientSecrets(
                settings, key.get_secret_value(), address, name=name,
                connected=a.account if a.platform else None,
            )  # fmt: skip
        return made


class Bound:
    """Reads the file, again and again: a name stays with its account, as its payments do."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, str]] = {}

    def read(self) -> FileAccounts:
        """Returns what the file says now. Raises SettingsError, also for a name's other account."""
        found = file_accounts()
        for name, a in found.file.accounts.items():
            if self._known.setdefault(name, (a.account, a.mode)) != (a.account, a.mode):
                raise SettingsError(
                    f"accounts.{name}: its payments are bound to {self._known[name][0]}: give the "
                    "other account a name of its own"
                )
        return found


def file_accounts() -> FileAccounts:
    """Returns what the environment's file says. Raises SettingsError."""
    path = load(AccountsSettings).accounts_file
    if path is None:
        return FileAccounts(AccountFile(), ())
    try:
        file = read_accounts(path)
    except AccountFileError as error:
        raise SettingsError(f"PAYMENTS_ACCOUNTS_FILE: {error}") from None
    check_accounts(file)
    references = (
        reference
        for a in file.accounts.values()
        for reference in (*a.webhook_secrets, *a.notice_secrets, a.read_api_key)
    )
    secrets = [path_of(reference) for reference in references if reference is not None]
    return FileAccounts(file, (path, *(each for each in secrets if each is not None)))


def check_accounts(file: AccountFile) -> None:
    """Raises SettingsError for accounts that can't be beside the environment's."""
    own = load(StripeAccountSettings)
    mode = "live" if own.stripe_livemode else "test"
    for name, each in file.accounts.items():
        _check(name, each, file, own.stripe_account, mode)


def _check(name: str, a: ProviderAccount, file: AccountFile, own: str, mode: str) -> None:
    """Raises SettingsError for what contradicts the environment or what can't be in the file."""
    if name in {STRIPE, "examplepay"}:
        raise SettingsError(f"accounts.{name}: the environment has an account of this name")
    if a.provider != STRIPE:
        raise SettingsError(f"accounts.{name}.provider: only {STRIPE} can be in the file")
    if not re.fullmatch(ACCOUNT_ID, a.account):
        raise SettingsError(f"accounts.{name}.account: write the account's ID, acct_...")
    if (a.account, a.mode) == (own, mode):
        raise SettingsError(f"accounts.{name}: the environment has this account: remove it here")
    if a.platform is None or a.platform in file.accounts:
        return
    if a.platform != STRIPE:
        raise SettingsError(f"accounts.{name}.platform: there is no account {a.platform}")
    if a.mode != mode:
        raise SettingsError(f"accounts.{name}.mode: its platform is in {mode} mode")


def check_mode(field: str, key: SecretStr, account: ProviderAccount) -> None:
    """Raises SettingsError for a key of the other mode than the account's."""
    is_live = is_live_key(key.get_secret_value())
    if is_live is not None and is_live is not (account.mode == "live"):
        mode = "live" if is_live else "test"
        raise SettingsError(f"{field} is a {mode} key, but its mode is {account.mode}: change one")
