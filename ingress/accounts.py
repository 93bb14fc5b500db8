"""Which provider accounts a tenant may use, and which one a payment that names none has."""

from collections.abc import Mapping
from dataclasses import dataclass

from schemas.provider_accounts import TenantAccounts


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
