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
from domain.calls import ProviderCall
from ports.provider import (
    Acknowledged,
    CallOutcome,
    FetchedEvent,
    MalformedWebhookError,
    ProviderUnavailableError,
    Unknown,
)
from providers.examplepay.money import minor_units
from providers.examplepay.outcomes import decoded, outcome_of_response, outcome_of_state
from providers.examplepay.requests import path_of, payment_path, request_for
from providers.examplepay.shapes import Attempt, EventPage, Found, FoundList, Payment
from providers.examplepay.translate import NAME, event_id
from providers.examplepay.webhooks import read

#: The header of a call's idempotency key.
OPERATION_KEY_HEADER: Final = "Operation-Key"
PAGE: Final = 100

S = TypeVar("S")


class _GoneError(ProviderUnavailableError):
    """The requested object or event does not exist."""


class ExamplePayApi:
    """A ``ProviderClient``. It does not retry."""

    name = NAME

    def __init__(self, api_base: str, api_key: SecretStr, timeout_s: float) -> None:
        self._deadline_s = timeout_s
        self._http = httpx.AsyncClient(
            base_url=api_base,
            headers={"Authorization": f"ApiKey {api_key.get_secret_value()}"},
            timeout=timeout_s,
        )

    async def call(self, call: ProviderCall, key: str) -> CallOutcome:
        """See ``ProviderClient.call``."""
        request = request_for(call)
        headers = {OPERATION_KEY_HEADER: key}
        try:
            response = await self._send("POST", request.path, json=request.body, headers=headers)
        except TimeoutError:
            return Unknown(f"no response within {self._deadline_s} s")
        except httpx.HTTPError as error:
            return Unknown(type(error).__name__)
        return outcome_of_response(call, response.status_code, response.content, response.headers)

    async def look_up(self, call: ProviderCall, first_tried_at: datetime) -> CallOutcome | None:
        """See ``ProviderClient.look_up``. Objects of any age are found by our reference."""
        del first_tried_at
        match call.operation:
            case Operation.CREATE:
                found = await self._get("/payments", FoundList, reference=call.payment_id)
                return _oldest(item for item in found.items if _is_of(item.attempts, call))
            case Operation.REFUND:
                found = await self._get("/refunds", FoundList, reference=call.refund_id or "")
                return _oldest(item for item in found.items if _is_refund(item, call))
        payment = await self._get(payment_path(call), Payment)
        if call.operation is not Operation.CONFIRM:
            return outcome_of_state(call, payment.state, payment.id)
        return Acknowledged(payment.id) if _is_of(payment.attempts, call) else None

    async def retrieve(self, object_id: str) -> FetchedEvent:
        """See ``ProviderClient.retrieve``.

        The event's ID is a digest of the object's content, so an unchanged object gives the same
        event. Its time is when the object last changed.
        """
        content = await self._get(path_of(object_id), msgspec.Raw)
        payment = _decoded(bytes(content), Payment)
        event = {
            "id": f"{payment.id}.{hashlib.sha256(content).hexdigest()[:24]}",
            "name": "payment/retrieved",
            "occurred_at": payment.changed_at,
            "merchant": payment.merchant,
            "trial": payment.trial,
            "subject": content,
        }
        return _fetched(msgspec.json.encode(event))

    async def events_after(self, cursor: str | None) -> AsyncIterator[Sequence[FetchedEvent]]:
        """See ``ProviderClient.events_after``.

        Without the cursor's event it starts with the oldest event. The processor drops duplicates.
        """
        after = cursor.removeprefix(event_id("")) if cursor is not None else None
        while True:
            try:
                page = await self._get("/events", EventPage, limit=PAGE, after=after)
            except _GoneError:
                page = await self._get("/events", EventPage, limit=PAGE)
            events = [_fetched(bytes(event)) for event in page.events]
            if not events:
                return
            yield events
            if not page.more:
                return
            after = events[-1].webhook.event_id.removeprefix(event_id(""))

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
        if response.status_code == httpx.codes.GONE:
            raise _GoneError(f"GET {path}: gone")
        if response.status_code != httpx.codes.OK:
            raise ProviderUnavailableError(f"GET {path}: HTTP {response.status_code}")
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
        """Returns the complete response. Raises httpx.HTTPError or TimeoutError."""
        async with asyncio.timeout(self._deadline_s):
            return await self._http.request(method, path, json=json, params=params, headers=headers)


def _oldest(items: Iterable[Found]) -> CallOutcome | None:
    """Returns the outcome of a call that made the first of these objects, or of none."""
    first = next(iter(items), None)
    return Acknowledged(first.id) if first is not None else None


def _is_of(attempts: Iterable[Attempt], call: ProviderCall) -> bool:
    """Returns whether a call started one of the attempts. A create starts the first."""
    return any(is_key_of(attempt.operation_key, call.key) for attempt in attempts)


def _is_refund(item: Found, call: ProviderCall) -> bool:
    """Returns whether a refund has the reference, payment, amount and currency of a call.

    A reference alone is not enough: anybody with access may write ours on another refund. A refund
    does not say which call made it.
    """
    money = item.amount
    if item.reference != call.refund_id or item.payment != call.object_id:
        return False
    try:
        return money is not None and (minor_units(money.value, money.currency), money.currency) == (
            call.amount,
            call.currency,
        )
    except MalformedWebhookError:
        return False


def _decoded(body: bytes, kind: type[S]) -> S:
    found = decoded(body, kind)
    if found is None:
        raise ProviderUnavailableError("the response is not ExamplePay's")
    return found


def _fetched(body: bytes) -> FetchedEvent:
    try:
        return FetchedEvent(read(body), body)
    except MalformedWebhookError as error:
        raise ProviderUnavailableError(f"the fetched event is malformed: {error}") from error
