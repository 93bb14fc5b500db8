"""The client of Stripe's API, on Stripe's package: calls, look-ups and undelivered events."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from time import monotonic
from typing import Any, Final

import stripe

from domain.call_key import Operation
from domain.calls import ProviderCall, currency_of
from ports.provider import (
    Acknowledged,
    CallOutcome,
    FetchedEvent,
    MissingError,
    NotPermittedError,
    PartPage,
    ProviderUnavailableError,
    RateLimitedError,
    Refused,
    Unknown,
)
from ports.rate_budget import UNLIMITED, RequestBudget
from providers.stripe.access.asking import asking
from providers.stripe.access.fetched import (
    PARTS,
    Answered,
    RefusedError,
    answered,
    fetched,
    is_list,
    is_object,
    listed,
    retrieved,
)
from providers.stripe.access.look_ups import LookUps
from providers.stripe.currencies import charge_refusal, part_refusal
from providers.stripe.outcomes import (
    MISSING,
    outcome_of_error,
)
from providers.stripe.requests import frozen, request_for, thawed
from providers.stripe.translate import LISTED_TYPES, RETRIEVED
from providers.stripe.webhooks import NAME, scoped
from schemas.settings import StripeSettings

PAGE: Final = 100
#: A search for the oldest event makes some thirty requests; a rate limit must not end it.
SEARCH_TRIES: Final = 3
SEARCH_PAUSE_S: Final = 1.0


class StripeApi:
    """A ``ProviderClient``. It does not retry: the package's retries are off.

    ``connected`` is the connected account that a platform's key is used for.
    """

    part_kinds: Sequence[str] = tuple(PARTS)

    def __init__(
        self,
        settings: StripeSettings,
        address: str,
        http: stripe.HTTPClient | None = None,
        budget: RequestBudget = UNLIMITED,
        *,
        is_live: bool,
        name: str = NAME,
        connected: str | None = None,
    ) -> None:
        self.name = name
        self._budget = budget
        self._is_live = is_live
        self._look_ups = LookUps(self._get)
        self._deadline_s = settings.stripe_timeout_s
        self._http = http or stripe.HTTPXClient(timeout=settings.stripe_timeout_s)
        self._client = stripe.StripeClient(
            settings.stripe_api_key.get_secret_value(),
            base_addresses={"api": address},
            stripe_account=connected,
            max_network_retries=0,
            http_client=self._http,
        )

    def prepare(self, call: ProviderCall) -> bytes | Refused:
        """See ``ProviderClient.prepare``. Path, parameters, and the API version of this release."""
        return _impossible_amount(call) or frozen(request_for(call))

    async def call(self, call: ProviderCall, key: str, request: bytes | None = None) -> CallOutcome:
        """See ``ProviderClient.call``."""
        kept = request or self.prepare(call)
        if isinstance(kept, Refused):
            return kept
        path, params, version = thawed(kept)
        try:
            async with asking(self._budget, "post", path), asyncio.timeout(self._deadline_s):
                data, _ = await self._send(
                    "post", path, **params, idempotency_key=key, stripe_version=version
                )
        except TimeoutError:
            return Unknown(f"no response within {self._deadline_s} s")
        except (stripe.StripeError, RateLimitedError) as error:
            return outcome_of_error(call, error)
        return Acknowledged(data["id"])

    async def look_up(
        self,
        call: ProviderCall,
        first_tried_at: datetime,
        last_tried_at: datetime | None = None,
    ) -> CallOutcome | None:
        """See ``ProviderClient.look_up``."""
        return await self._look_ups.outcome(call, first_tried_at, last_tried_at)

    async def retrieve(self, object_id: str) -> FetchedEvent:
        """See ``ProviderClient.retrieve``.

        Its time is the request's, by Stripe's clock: what changed while the answer was on its way
        is later.
        """
        intent, when = await self._get(f"/v1/payment_intents/{object_id}")
        event = retrieved(RETRIEVED, intent, when.asked_at, is_live=self._is_live)
        return fetched(event, self.name)

    async def parts_of(self, object_id: str) -> AsyncIterator[Sequence[FetchedEvent]]:
        """See ``ProviderClient.parts_of``. It makes a request for each kind of part."""
        refused: NotPermittedError | None = None
        for kind in PARTS:
            try:
                async for page in self._parts(kind, None, payment_intent=object_id):
                    yield page.parts
            except NotPermittedError as error:
                refused = error
        if refused is not None:
            raise refused

    def parts_since(
        self, kind: str, at: datetime, after: str | None = None
    ) -> AsyncIterator[PartPage]:
        """See ``ProviderClient.parts_since``. It makes a request for a hundred parts."""
        return self._parts(kind, after, created={"gte": int(at.timestamp())})

    async def _parts(self, kind: str, after: str | None, **params: Any) -> AsyncIterator[PartPage]:
        path, made_of = PARTS[kind]
        async for page, when, last in self._pages(path, after, **params):
            at, is_live = when.asked_at, self._is_live
            parts = [
                listed(retrieved(made_of, each, at, is_live=is_live), self.name) for each in page
            ]
            yield PartPage(parts, last)

    async def events_after(
        self, cursor: str | None, since: datetime | None = None
    ) -> AsyncIterator[Sequence[FetchedEvent]]:
        """See ``ProviderClient.events_after``.

        Only types with an effect on a payment are asked for, because an account has others' too.

        Stripe refuses a cursor that it no longer lists, after 30 days or because test data was
        deleted. The processor drops duplicates. It holds one page at a time: an account that has
        been in use lists millions of events.
        """
        after = cursor.removeprefix(scoped(self.name, "")) if cursor is not None else None
        page = await self._page_after(after) if after is not None else None
        if page is None:
            async for older in self._back_to_oldest(since):
                if page is not None:
                    yield []  # nothing to publish yet: one request was made
                page = older
        while page is not None and page["data"]:
            yield [listed(event, self.name) for event in reversed(page["data"])]
            if not page["has_more"]:
                return
            newest = _id_of("/v1/events", page["data"][0])
            page = await self._events(ending_before=newest)  # refused, it is not the list's end

    async def _back_to_oldest(self, since: datetime | None) -> AsyncIterator[dict[str, Any]]:
        """Yields pages, newest first, back to the one with the oldest events from ``since`` on.

        Stripe lists the newest first. Where these are more than a page, their first second is
        searched for, by halving the time. No time of an event is trusted for it: one may be wrong.
        That second may have any number of pages. They are gone through, and none is kept.
        """
        earliest = int(since.timestamp()) if since is not None else 0
        page = await self._page_between(earliest, None)
        if not page["has_more"]:
            yield page | {"has_more": bool(page["data"])}
            return
        latest = int(page["data"][-1]["created"])  # what is not on this page is not newer
        while earliest < latest:
            middle = (earliest + latest) // 2
            page = await self._page_between(earliest, middle)
            if not page["data"]:
                earliest = middle + 1
            elif page["has_more"]:
                latest = int(page["data"][-1]["created"])
            else:
                yield page | {"has_more": True}
                return
        page = await self._page_between(earliest, earliest)
        yield page | {"has_more": True}
        while page["has_more"]:
            before = _id_of("/v1/events", page["data"][-1])
            page = await self._page_between(earliest, earliest, before)
            yield page | {"has_more": True}

    async def _page_between(
        self, earliest: int, until: int | None, before: str | None = None
    ) -> dict[str, Any]:
        """Returns the newest events between two seconds, of those that are older than ``before``.

        Tries again if Stripe is not available.
        """
        created = {name: at for name, at in (("gte", earliest), ("lte", until)) if at}
        params: dict[str, Any] = {"created": created} if created else {}
        if before is not None:
            params["starting_after"] = before
        for tries_left in reversed(range(SEARCH_TRIES)):
            try:
                return await self._events(**params)
            except ProviderUnavailableError:
                if not tries_left:
                    raise
                await asyncio.sleep(SEARCH_PAUSE_S)
        raise AssertionError  # the last try returns or raises

    async def _page_after(self, cursor: str) -> dict[str, Any] | None:
        """Returns the next events after this one, newest first, or None if Stripe refuses it."""
        try:
            return await self._events(ending_before=cursor)
        except (RefusedError, MissingError):
            return None

    async def _events(self, **params: Any) -> dict[str, Any]:
        """Returns a page of the events that are asked for, newest first."""
        page, _ = await self._get("/v1/events", limit=PAGE, types=LISTED_TYPES, **params)
        return page

    async def read(self, path: str, **params: Any) -> Mapping[str, Any]:
        """Returns an object, or a page of a list. Raises ProviderUnavailableError."""
        data, _ = await self._get(path, **params)
        return data

    async def close(self) -> None:
        """See ``ProviderClient.close``."""
        await self._http.close_async()  # type: ignore[no-untyped-call]  # has no annotations

    async def _pages(
        self, path: str, after: str | None = None, **params: Any
    ) -> AsyncIterator[tuple[list[dict[str, Any]], Answered, str | None]]:
        """Yields the pages of a list that have any object, newest first.

        Each comes with the ID after which the list goes on; None: it is the last one. It begins
        after this ID, or at the beginning if Stripe does not have that any more.
        """
        page, when = await self._first_page(path, after, params)
        while True:
            last = _id_of(path, *page["data"][-1:]) if page["has_more"] else None
            if page["data"]:
                yield page["data"], when, last
            if last is None:
                return
            page, when = await self._get(path, limit=PAGE, **params, starting_after=last)

    async def _first_page(
        self, path: str, after: str | None, params: Mapping[str, Any]
    ) -> tuple[dict[str, Any], Answered]:
        if after is not None:
            with suppress(RefusedError, MissingError):
                return await self._get(path, limit=PAGE, **params, starting_after=after)
        return await self._get(path, limit=PAGE, **params)

    async def _get(self, path: str, **params: Any) -> tuple[dict[str, Any], Answered]:
        try:
            async with asking(self._budget, "get", path), asyncio.timeout(self._deadline_s):
                asked_at = monotonic()
                data, headers = await self._send("get", path, **params)
                return data, answered(headers, monotonic() - asked_at)
        except (stripe.StripeError, TimeoutError) as error:
            code = error.code if isinstance(error, stripe.StripeError) else None
            why = f"GET {path}: {type(error).__name__}, {code or 'no code'}"
            raise _kind_of(error, code)(why) from error

    async def _send(
        self, method: str, path: str, **params: Any
    ) -> tuple[dict[str, Any], Mapping[str, str]]:
        """Returns Stripe's response. Raises stripe.StripeError, also for any other response."""
        try:
            response = await self._client.raw_request_async(method, path, **params)
        except stripe.StripeError:
            raise
        except Exception as error:  # the package fails on errors in another form
            raise stripe.APIError(f"an unreadable response: {error!r}") from error
        data: Any = response.data
        if not is_object(data) and not is_list(data):
            raise stripe.APIError("the response is neither an object nor a list of Stripe's")
        return data, response.headers


def _kind_of(error: Exception, code: str | None) -> type[ProviderUnavailableError]:
    if code == MISSING:
        return MissingError
    if isinstance(error, stripe.PermissionError):
        return NotPermittedError
    is_refused = isinstance(error, stripe.InvalidRequestError)
    return RefusedError if is_refused else ProviderUnavailableError


def _id_of(path: str, item: Mapping[str, Any] | None = None) -> str:
    """Returns the ID after which a list goes on. Raises ProviderUnavailableError if it has none."""
    last = item.get("id") if item is not None else None
    if not isinstance(last, str):
        raise ProviderUnavailableError(
            f"GET {path}: has_more is true, and the item after which to go on has no data[].id"
        )
    return last


def _impossible_amount(call: ProviderCall) -> Refused | None:
    """Returns the refusal of a call with an amount that Stripe can't have; it is not even asked.

    The ingress refuses such a payment. It does not know the currency of a capture or refund.
    """
    if call.amount is None:
        return None
    rule = charge_refusal if call.operation is Operation.CREATE else part_refusal
    broken = rule(call.amount, currency_of(call))
    return Refused("amount_impossible", broken.rule) if broken is not None else None
