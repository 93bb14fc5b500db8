"""The client of ExamplePay's API: calls, look-ups and undelivered events."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypeVar

import httpx
import msgspec
from pydantic import SecretStr

from domain.call_key import Operation, is_key_of
from domain.calls import ProviderCall, currency_of, is_last_cancel
from ports.provider import (
    Acknowledged,
    CallOutcome,
    FetchedEvent,
    MalformedWebhookError,
    MissingError,
    NotPermittedError,
    NotSent,
    PartPage,
    ProviderUnavailableError,
    RateLimitedError,
    Refused,
    Unknown,
    unreadable,
)
from ports.rate_budget import UNLIMITED, RequestBudget
from providers.examplepay.money import ExamplePayMoney, minor_units
from providers.examplepay.outcomes import (
    decoded,
    outcome_of_response,
    outcome_of_state,
    retry_after_in,
)
from providers.examplepay.requests import path_of, payment_path, request_for
from providers.examplepay.shapes import (
    Attempt,
    CreatedObject,
    EventPage,
    Found,
    FoundList,
    Listed,
    Part,
    Payment,
)
from providers.examplepay.translate import NAME, event_id
from providers.examplepay.webhooks import listed_at, listed_id, read

#: The header of a call's idempotency key.
OPERATION_KEY_HEADER: Final = "Operation-Key"
PAGE: Final = 100
#: By kind: where ExamplePay lists the parts of payments, and the kind of subject that each is.
PARTS: Final[Mapping[str, tuple[str, str]]] = {
    "refunds": ("/refunds", "refund"),
    "chargebacks": ("/chargebacks", "chargeback"),
}

S = TypeVar("S")


class _RefusedError(ProviderUnavailableError):
    """ExamplePay understood the request and refused it, for a wrong parameter for example."""


#: The answers that are no failure of ExamplePay's, by their status. What is gone did exist.
REFUSALS: Final[Mapping[int, type[ProviderUnavailableError]]] = {
    httpx.codes.BAD_REQUEST: _RefusedError,
    httpx.codes.FORBIDDEN: NotPermittedError,
    httpx.codes.NOT_FOUND: MissingError,
    httpx.codes.GONE: MissingError,
}


class ExamplePayApi:
    """A ``ProviderClient``. It does not retry."""

    name = NAME
    part_kinds: Sequence[str] = tuple(PARTS)

    def __init__(
        self,
        api_base: str,
        api_key: SecretStr,
        timeout_s: float,
        budget: RequestBudget = UNLIMITED,
    ) -> None:
        self._budget = budget
        self._deadline_s = timeout_s
        self._http = httpx.AsyncClient(
            base_url=api_base,
            headers={"Authorization": f"ApiKey {api_key.get_secret_value()}"},
            timeout=timeout_s,
        )

    def prepare(self, call: ProviderCall) -> bytes | Refused:
        """See ``ProviderClient.prepare``."""
        refused = _impossible_amount(call)
        if refused is not None:
            return refused
        request = request_for(call)
        return msgspec.json.encode({"path": request.path, "body": request.body})

    async def call(self, call: ProviderCall, key: str, request: bytes | None = None) -> CallOutcome:
        """See ``ProviderClient.call``."""
        prepared = request or self.prepare(call)
        if isinstance(prepared, Refused):
            return prepared
        kept = msgspec.json.decode(prepared)
        headers = {OPERATION_KEY_HEADER: key}
        try:
            response = await self._send("POST", kept["path"], json=kept["body"], headers=headers)
        except RateLimitedError as error:
            return NotSent(str(error), error.retry_after_s)
        except TimeoutError:
            return Unknown(f"no response within {self._deadline_s} s")
        except httpx.HTTPError as error:
            return Unknown(type(error).__name__)
        return outcome_of_response(call, response.status_code, response.content, response.headers)

    async def look_up(
        self,
        call: ProviderCall,
        first_tried_at: datetime,
        last_tried_at: datetime | None = None,
    ) -> CallOutcome | None:
        """See ``ProviderClient.look_up``. Objects of any age are found by our reference."""
        del first_tried_at, last_tried_at
        match call.operation:
            case Operation.CREATE:
                found = await self._get("/payments", FoundList, reference=call.payment_id)
                return _oldest(item for item in found.items if _is_of(item.attempts, call))
            case Operation.REFUND:
                found = await self._get("/refunds", FoundList, reference=call.refund_id or "")
                return _oldest(item for item in found.items if _is_refund(item, call))
        payment = await self._get(payment_path(call), Payment)
        if is_last_cancel(call) and is_key_of(payment.void_key, call.key):
            return Acknowledged(payment.id)
        if call.operation is not Operation.CONFIRM:
            return outcome_of_state(call, payment.state, payment.id)
        return Acknowledged(payment.id) if _is_of(payment.attempts, call) else None

    async def retrieve(self, object_id: str) -> FetchedEvent:
        """See ``ProviderClient.retrieve``. Its time is when the object last changed."""
        content = await self._get(path_of(object_id), msgspec.Raw)
        payment = _decoded(bytes(content), Payment)
        return _fetched(_retrieved("payment", payment, bytes(content)))

    async def parts_of(self, object_id: str) -> AsyncIterator[Sequence[FetchedEvent]]:
        """See ``ProviderClient.parts_of``. The time of each is when it last changed."""
        for kind in PARTS:
            async for page in self._parts(kind, None, payment=object_id):
                yield page.parts

    def parts_since(
        self, kind: str, at: datetime, after: str | None = None
    ) -> AsyncIterator[PartPage]:
        """See ``ProviderClient.parts_since``."""
        return self._parts(kind, after, since=at.isoformat())

    async def _parts(self, kind: str, after: str | None, **wanted: str) -> AsyncIterator[PartPage]:
        path, subject = PARTS[kind]
        page = await self._page_after(path, Listed, after, **wanted)
        if page is None:
            page = await self._get(path, Listed, limit=PAGE, **wanted)
        while True:
            items = [bytes(item) for item in page.items]
            after = _next_after(path, "items", items, after) if page.more else None
            if items:
                yield PartPage([_part(subject, item) for item in items], after)
            if after is None:
                return
            page = await self._get(path, Listed, limit=PAGE, after=after, **wanted)

    async def events_after(
        self, cursor: str | None, since: datetime | None = None
    ) -> AsyncIterator[Sequence[FetchedEvent]]:
        """See ``ProviderClient.events_after``. The processor drops duplicates."""
        after = cursor.removeprefix(event_id("")) if cursor is not None else None
        start = since.isoformat() if since is not None else None
        page = await self._page_after("/events", EventPage, after)
        if page is None:
            page = await self._get("/events", EventPage, limit=PAGE, since=start)
        while page.events:
            events = [bytes(event) for event in page.events]
            yield [_listed(event) for event in events]
            if not page.more:
                return
            after = _next_after("/events", "events", events, after)
            page = await self._get("/events", EventPage, limit=PAGE, after=after)

    async def _page_after(
        self, path: str, kind: type[S], after: str | None, **wanted: str
    ) -> S | None:
        """Returns the page after this ID; None: there is no ID, or ExamplePay does not have it."""
        if after is None:
            return None
        try:
            return await self._get(path, kind, limit=PAGE, after=after, **wanted)
        except (_RefusedError, MissingError):
            return None

    async def close(self) -> None:
        """See ``ProviderClient.close``."""
        await self._http.aclose()

    async def _get(self, path: str, kind: type[S], **params: Any) -> S:
        """Gets an object. Raises ProviderUnavailableError."""
        asked = {name: value for name, value in params.items() if value is not None}
        try:
            response = await self._send("GET", path, params=asked)
        except (httpx.HTTPError, TimeoutError) as error:
            raise ProviderUnavailableError(f"GET {path}: {type(error).__name__}") from error
        if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
            raise RateLimitedError("ExamplePay's: HTTP 429", retry_after_in(response.headers))
        if response.status_code != httpx.codes.OK:
            kind_of_error = REFUSALS.get(response.status_code, ProviderUnavailableError)
            raise kind_of_error(f"GET {path}: HTTP {response.status_code}")
        return _decoded(response.content, kind)

    async def _send(
        self,
        method: str,
        path: str,
        *,
        json: Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Returns the complete response, of a request that the rate budget has room for.

        Raises RateLimitedError, httpx.HTTPError or TimeoutError.
        """
        await self._budget.take(writes=method == "POST")
        async with asyncio.timeout(self._deadline_s):
            response = await self._http.request(
                method, path, json=json, params=params, headers=headers
            )
        if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
            await self._budget.budget.refused(retry_after_in(response.headers))
        return response


def _oldest(items: Iterable[Found]) -> CallOutcome | None:
    """Returns the outcome of a call that made the first of these objects, or of none."""
    first = next(iter(items), None)
    return Acknowledged(first.id) if first is not None else None


def _is_of(attempts: Iterable[Attempt], call: ProviderCall) -> bool:
    """Returns whether a call started one of the attempts. A create starts the first."""
    return any(is_key_of(attempt.operation_key, call.key) for attempt in attempts)


def _impossible_amount(call: ProviderCall) -> Refused | None:
    """Returns the refusal of a call with an amount that ExamplePay can't have; it is not asked."""
    if call.amount is None:
        return None
    broken = ExamplePayMoney().refuses(call.amount, currency_of(call))
    return Refused("amount_impossible", broken.rule) if broken is not None else None


def _is_refund(item: Found, call: ProviderCall) -> bool:
    """Returns whether a refund has the reference, payment, amount and currency of a call.

    A reference alone is not enough: anybody with access may write ours on another refund. A refund
    does not say which call made it. Raises ProviderUnavailableError for an unreadable amount.
    """
    money = item.amount
    if item.reference != call.refund_id or item.payment != call.object_id:
        return False
    try:
        found = minor_units(money.value, money.currency), money.currency
    except MalformedWebhookError as error:  # it may be the call's: never make it a second time
        raise ProviderUnavailableError(f"refund {item.id}: {error}") from error
    return found == (call.amount, call.currency)


def _decoded(body: bytes, kind: type[S]) -> S:
    found = decoded(body, kind)
    if found is None:
        raise ProviderUnavailableError("the response is not ExamplePay's")
    return found


def _retrieved(kind: str, about: Payment | Part, content: bytes) -> bytes:
    """Returns an object's present state as an event, with the time when it last changed.

    The event's ID is a digest of the object's content, so an unchanged object gives the same event.
    """
    event = {
        "id": f"{about.id}.{hashlib.sha256(content).hexdigest()[:24]}",
        "name": f"{kind}/retrieved",
        "occurred_at": about.changed_at,
        "merchant": about.merchant,
        "trial": about.trial,
        "subject": msgspec.Raw(content),
    }
    return msgspec.json.encode(event)


def _next_after(path: str, name: str, items: Sequence[bytes], before: str | None) -> str:
    """Returns the ID of the last item that has one, after which the list goes on.

    Raises ProviderUnavailableError if there is none, or the same as before: the same page would
    come again and again.
    """
    known = (decoded(item, CreatedObject) for item in reversed(items))
    last = next((item.id for item in known if item is not None), None)
    if last is None or last == before:
        raise ProviderUnavailableError(
            f"GET {path}: more is true, and no item has a new {name}[].id after which to go on"
        )
    return last


def _part(kind: str, content: bytes) -> FetchedEvent:
    """Returns a refund or chargeback as an event; one that can't be read stops no other."""
    part = decoded(content, Part)
    if part is None:
        return FetchedEvent(unreadable(content), content)
    return _listed(_retrieved(kind, part, content))


def _listed(body: bytes) -> FetchedEvent:
    """Returns an event of the list; one that can't be read keeps its ID, which the cursor needs."""
    at = listed_at(body)
    try:
        return FetchedEvent(read(body), body, at)
    except MalformedWebhookError:
        return FetchedEvent(unreadable(body, listed_id(body)), body, at)


def _fetched(body: bytes) -> FetchedEvent:
    try:
        return FetchedEvent(read(body), body)
    except MalformedWebhookError as error:
        raise ProviderUnavailableError(f"the fetched event is malformed: {error}") from error
