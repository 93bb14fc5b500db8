"""Asks Stripe whether an account is as our settings say, and its webhook endpoint as we need it.

Restricted keys may not read the account; the refusal names it, though. Stripe does not say which
endpoint is ours, so it is known by the path of its address.
"""

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import stripe

from ports.account_check import AccountFinding, Subject, Verdict
from ports.provider import Account, NotPermittedError, ProviderUnavailableError
from providers.stripe.outcomes import code_in
from providers.stripe.translate import LISTED_TYPES
from providers.stripe.versions import unread

PAGE: Final = 100
#: Pages of endpoints that are read at most. An account can have 16 endpoints.
PAGES_MAX: Final = 5
#: The code of a refusal because the key has no access to a connected account.
NO_ACCESS: Final = "account_invalid"
_NAMED: Final = re.compile(r"on account '(acct_[A-Za-z0-9]+)'")

Item = Mapping[str, Any]


class Reads(Protocol):
    """What the check needs of our client of Stripe's API."""

    name: str

    async def read(self, path: str, **params: Any) -> Mapping[str, Any]:
        """Returns an object or a page. Raises ProviderUnavailableError."""
        ...

    async def close(self) -> None:
        """Closes connections."""
        ...


class StripeAccountCheck:
    """An ``AccountCheck``.

    Args:
        api: our client, with the account's key.
        account: what our settings say of it.
        endpoint: the path of its webhook endpoint's address; None for a connected account.
        platform: of a connected account: the name of the account with the endpoint.
    """

    def __init__(
        self, api: Reads, account: Account, endpoint: str | None, platform: str | None = None
    ) -> None:
        self.name = api.name
        self._api = api
        self._account = account
        self._endpoint = endpoint
        self._platform = platform

    async def findings(self) -> Sequence[AccountFinding]:
        """See ``AccountCheck.findings``."""
        try:
            found = await self._of_account()
        except ProviderUnavailableError as error:
            if not isinstance(error.__cause__, stripe.AuthenticationError):
                raise
            text = "Stripe refuses it: it is mistyped, expired or deleted; set a valid one"
            return [AccountFinding(Subject.KEY, Verdict.WRONG, text)]
        mode = "live" if self._account.is_live else "test"
        key = AccountFinding(Subject.KEY, Verdict.RIGHT, f"it works, in {mode} mode")
        return [key, found, *await self._of_endpoint()]

    async def close(self) -> None:
        """See ``AccountCheck.close``."""
        await self._api.close()

    async def _of_account(self) -> AccountFinding:
        try:
            found = (await self._api.read("/v1/account"))["id"]
        except NotPermittedError as error:
            # of a connected account it may name the platform, whose key it is
            found = _named(error) if self._platform is None else None
            if found is None and _code(error) == NO_ACCESS:
                text = f"the key has no access to {self._account.name}: connect it, or change one"
                return AccountFinding(Subject.ACCOUNT, Verdict.WRONG, text)
            if found is None:
                text = "a restricted key may not ask whose it is"
                return AccountFinding(Subject.ACCOUNT, Verdict.NOT_ASKED, text)
        if found == self._account.name:
            return AccountFinding(Subject.ACCOUNT, Verdict.RIGHT, f"the key is of {found}")
        text = f"the key is of {found}, the settings say {self._account.name}: change one"
        return AccountFinding(Subject.ACCOUNT, Verdict.WRONG, text)

    async def _of_endpoint(self) -> Sequence[AccountFinding]:
        if self._endpoint is None:
            text = f"its events arrive at the endpoint of {self._platform}: check that account"
            return [AccountFinding(Subject.ENDPOINT, Verdict.NOT_ASKED, text)]
        try:
            endpoints = await all_of(self._api.read, "/v1/webhook_endpoints")
        except NotPermittedError:
            text = "the key may not read webhook endpoints: give it that right, or look yourself"
            return [AccountFinding(Subject.ENDPOINT, Verdict.NOT_ASKED, text)]
        return endpoint_findings(endpoints, self._endpoint)


async def all_of(read: Callable[..., Awaitable[Mapping[str, Any]]], path: str) -> Sequence[Item]:
    """Returns the objects of a short list. Raises ProviderUnavailableError, also for a long one."""
    found: list[Item] = []
    after: dict[str, str] = {}
    for _ in range(PAGES_MAX):
        page = await read(path, limit=PAGE, **after)
        found += page["data"]
        if not page["has_more"]:
            return found
        if not page["data"]:
            break
        after = {"starting_after": page["data"][-1]["id"]}
    raise ProviderUnavailableError(f"GET {path}: the list has no end within {PAGES_MAX} pages")


def endpoint_findings(endpoints: Sequence[Item], path: str) -> Sequence[AccountFinding]:
    """Returns what is wrong with the endpoints whose addresses have our path.

    There may be several, of several environments. One that is disabled is wrong only if all are:
    it gets nothing, and another one is in its place.
    """
    ours = [each for each in endpoints if urlsplit(str(each.get("url"))).path == path]
    if not ours:
        text = f"no address of an endpoint has the path {path}: create one"
        return [AccountFinding(Subject.ENDPOINT, Verdict.WRONG, text)]
    enabled = [each for each in ours if each.get("status") == "enabled"]
    problems = [
        AccountFinding(Subject.ENDPOINT, Verdict.WRONG, f"{_shown(each)} {problem}")
        for each in enabled or ours
        for problem in _problems(each)
    ]
    if problems:
        return problems
    text = f"{', '.join(map(_shown, enabled))}: enabled, with every event type"
    return [AccountFinding(Subject.ENDPOINT, Verdict.RIGHT, text)]


def _problems(endpoint: Item) -> Iterator[str]:
    if (status := endpoint.get("status")) != "enabled":
        yield f"is {status}: enable it"
    types = set(endpoint.get("enabled_events") or ())
    if "*" not in types and (missing := [each for each in LISTED_TYPES if each not in types]):
        yield f"lacks the event types {', '.join(missing)}: add them"
    # without a version of its own it has the account's, which nobody shows
    if (why := unread(endpoint.get("api_version"))) is not None:
        yield f"has another version: {why}; create one with a version that is"


def _shown(endpoint: Item) -> str:
    return f"{endpoint.get('id')} at {endpoint.get('url')}"


def _code(error: ProviderUnavailableError) -> str | None:
    cause = error.__cause__
    return code_in(cause) if isinstance(cause, stripe.StripeError) else None


def _named(error: ProviderUnavailableError) -> str | None:
    """Returns the account that the refusal of a restricted key names."""
    found = _NAMED.search(str(error.__cause__))
    return found[1] if found is not None else None
