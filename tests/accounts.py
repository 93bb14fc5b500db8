"""The provider accounts of the tests' events."""

from typing import Final

from ports.provider import Account
from sandbox.environment import STRIPE_ACCOUNT

STRIPE: Final = Account(STRIPE_ACCOUNT, is_live=False)
EXAMPLEPAY: Final = Account("merchant-1", is_live=False)
