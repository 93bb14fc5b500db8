"""The accounts of a seed at the provider: one, or a platform, its connected account and another."""

from dataclasses import dataclass
from typing import Final

from pydantic import SecretStr

from ports.provider import Account
from sandbox.stripe_simulator.accounts.configured import ConfiguredAccount
from tests import accounts

#: Seeds out of this many have several accounts: those with these remainders. Other seeds stay as
#: they are, and so does what they once found.
SEVERAL_IN: Final = 13
REMAINDERS: Final = frozenset({0, 4, 9})


@dataclass(frozen=True, slots=True)
class Owner:
    """One account.

    Args:
        name: what the service calls it.
        account: what the provider calls it, and its mode.
        api_key: with which it is asked; a connected account has its platform's.
        endpoint: the name of the account at whose endpoint its events arrive.
        secret: signs them.
    """

    name: str
    account: Account
    api_key: str
    endpoint: str
    secret: str

    @property
    def is_connected(self) -> bool:
        """Whether it is reached through a platform."""
        return self.endpoint != self.name

    @property
    def connected(self) -> str | None:
        """What requests for it name beside the platform's key."""
        return self.account.name if self.is_connected else None

    @property
    def configured(self) -> ConfiguredAccount:
        """The account as the simulator has it."""
        mode = "live" if self.account.is_live else "test"
        key = None if self.is_connected else SecretStr(self.api_key)
        return ConfiguredAccount(id=self.account.name, mode=mode, api_key=key)


STRIPE: Final = Owner("stripe", accounts.STRIPE, "sk_test_simulation", "stripe", "whsec_simulation")
SHOP: Final = Owner(
    "shop", Account("acct_shop", is_live=False), STRIPE.api_key, "stripe", STRIPE.secret
)
SECOND: Final = Owner(
    "second", Account("acct_second", is_live=True), "sk_live_second", "second", "whsec_second"
)
OWNERS: Final = (STRIPE, SHOP, SECOND)


def owners_of(seed: int) -> tuple[Owner, ...]:
    """The accounts of a seed; the first is the one of the settings."""
    return OWNERS if seed % SEVERAL_IN in REMAINDERS else (STRIPE,)
