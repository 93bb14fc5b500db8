"""Whose a request is: an API key is an account's, and a platform's key opens its connected ones.

Source: https://docs.stripe.com/api/authentication, https://docs.stripe.com/connect/authentication
and https://docs.stripe.com/keys/restricted-api-keys
"""

import base64
import binascii
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from starlette.requests import Request

from sandbox.stripe_simulator.accounts.configured import ConfiguredAccount
from sandbox.stripe_simulator.accounts.rate_limit import RateLimit
from sandbox.stripe_simulator.errors import (
    AuthenticationError,
    PermissionDeniedError,
    ResourceMissingError,
)
from sandbox.stripe_simulator.events import Due
from sandbox.stripe_simulator.world import World

#: The operations of a restricted key, whose permission is to read payment intents.
READABLE: Final = frozenset({"payment_intent.retrieve", "payment_intent.list"})
_SHOWN: Final = 4


class Sender(Protocol):
    """Sends webhooks."""

    def release(self, due: list[Due]) -> None:
        """Send these when they are due."""

    async def attempted(self, due: list[Due]) -> None:
        """Return when each of these that is due now was attempted once."""

    def flush(self) -> None:
        """Write the outcomes of finished attempts."""

    def clear(self) -> None:
        """Drop all scheduled deliveries."""


@dataclass(frozen=True, slots=True)
class Resident:
    """One account: its world, and what sends its webhooks and limits its requests."""

    world: World
    sender: Sender
    limit: RateLimit

    @property
    def account(self) -> ConfiguredAccount:
        """What the settings say of it."""
        return self.world.account


@dataclass(frozen=True, slots=True)
class Grant:
    """The account that a request is for, and the one whose key it has."""

    resident: Resident
    by: Resident

    @property
    def is_platforms(self) -> bool:
        """Whether a platform asks for a connected account."""
        return self.resident is not self.by


class Directory:
    """All accounts. The first is the default one."""

    def __init__(self, residents: Sequence[Resident]) -> None:
        self.all = tuple(residents)
        self.default = self.all[0]

    def grant(self, request: Request, operation: str) -> Grant:
        """The account of an API request, by its key and its ``Stripe-Account`` header.

        Raises:
            AuthenticationError: the key is missing, or no account's.
            PermissionDeniedError: the key does not open that account, or not this operation.
        """
        given = _credential(request.headers.get("authorization", ""))
        if not given:
            raise AuthenticationError("You did not provide an API key.")
        owner = next((each for each in self.all if _has(each.account, given)), None)
        if owner is None:
            raise AuthenticationError("Invalid API Key provided.")
        named = request.headers.get("stripe-account") or owner.account.id
        resident = self._opened_by(owner, named)
        if resident is None:
            raise PermissionDeniedError(
                f"The provided key '{masked(given)}' does not have access to account '{named}' (or"
                " that account does not exist). Application access may have been revoked.",
                code="account_invalid",
            )
        if not _is_whole(owner.account, given) and operation not in READABLE:
            raise PermissionDeniedError(
                "The provided key does not have the required permissions for this endpoint on"
                f" account '{named}'.",
                code="more_permissions_required_for_application",
            )
        return Grant(resident, owner)

    def named(self, request: Request) -> Resident:
        """The account that a control request names: ``?account=acct_x``, perhaps ``&mode=live``.

        Raises:
            ResourceMissingError: there is none.
        """
        name = request.query_params.get("account")
        if name is None:
            return self.default
        mode = request.query_params.get("mode")
        for each in self.all:
            if each.account.id == name and mode in (None, each.account.mode):
                return each
        raise ResourceMissingError("account", name, param="account", in_path=True)

    def _opened_by(self, owner: Resident, named: str) -> Resident | None:
        if named == owner.account.id:
            return owner
        if named not in owner.account.connected:
            return None
        wanted = (named, owner.account.mode)
        return next(each for each in self.all if (each.account.id, each.account.mode) == wanted)


def masked(key: str) -> str:
    """A key as Stripe's errors show it: its kind and its end."""
    kind = "_".join(key.split("_")[:2]) + "_" if key.count("_") >= 2 else ""  # noqa: PLR2004 - sk_test_
    hidden = max(0, len(key) - len(kind) - _SHOWN)
    return kind + "*" * hidden + key[len(kind) + hidden :]


def _has(account: ConfiguredAccount, given: str) -> bool:
    return any(
        hmac.compare_digest(given.encode(), key.get_secret_value().encode()) for key in account.keys
    )


def _is_whole(account: ConfiguredAccount, given: str) -> bool:
    return account.api_key is not None and given == account.api_key.get_secret_value()


def _credential(authorization: str) -> str:
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(value, validate=True).decode().partition(":")[0]
    except (binascii.Error, UnicodeDecodeError):
        return ""
