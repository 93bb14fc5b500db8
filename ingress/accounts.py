"""The provider accounts as the ingress has them, and which of them a tenant may use."""

from collections.abc import Mapping
from dataclasses import dataclass

from ports.notices import NoticeReader
from ports.provider import ClientSecretReader, MoneyRules, WebhookReader
from schemas.accounts.provider_accounts import TenantAccounts


@dataclass(frozen=True, slots=True)
class AccountChoice:
    """The accounts of every tenant."""

    #: Of the tenants that the file of accounts names; it may change.
    named: Mapping[str, TenantAccounts]
    #: Of all others: the environment's accounts.
    others: TenantAccounts

    def of(self, tenant: str) -> TenantAccounts:
        """Returns the tenant's default account and all that it may use."""
        return self.named.get(tenant, self.others)


@dataclass(frozen=True, slots=True, kw_only=True)
class Providers:
    """What the ingress needs of the provider accounts, each by the account's name."""

    choice: AccountChoice
    readers: Mapping[str, WebhookReader]
    #: Of the accounts that have an endpoint for notices.
    notices: Mapping[str, NoticeReader]
    #: Which amounts each account can collect.
    money_rules: Mapping[str, MoneyRules]
    #: Of the accounts that have one. Closed at shutdown.
    client_secrets: Mapping[str, ClientSecretReader]
