"""Stripe's API through its own package: calls, look-ups, and what was never delivered."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final

import stripe

from processor.domain.calls import ProviderCall
from providers.port import (
    Acknowledged,
    CallOutcome,
    FetchedEvent,
    ProviderUnavailableError,
    Unknown,
)
from providers.stripe.answers import outcome_of_error, outcome_of_state
from providers.stripe.requests import request_for
from providers.stripe.translate import PAYMENT_ID_KEY, REFUND_ID_KEY
from providers.stripe.webhooks import read
from schemas.settings import StripeSettings

#: Stripe's clock and ours may differ by this much when objects are looked for by creation time.
CLOCK_SKEW: Final = timedelta(minutes=10)
PAGE: Final = 100


class StripeApi:
    """A ``ProviderClient``. Retries are the caller's: the package's own are off."""

    name = "stripe"

    def __init__(self, settings: StripeSettings) -> None:
        self._deadline_s = settings.stripe_timeout_s
        self._http = stripe.HTTPXClient(timeout=settings.stripe_timeout_s)
        self._client = stripe.StripeClient(
            settings.stripe_api_key.get_secret_value(),
            base_addresses={"api": settings.stripe_api_base},
            max_network_retries=0,
            http_client=self._http,
        )

    async def call(self, call: ProviderCall, key: str) -> CallOutcome:
        """See ``ProviderClient.call``."""
        request = request_for(call)
        try:
            async with asyncio.timeout(self._deadline_s):
                data, _ = await self._send(
                    "post", request.path, **request.params, idempotency_key=key
                )
        except TimeoutError:
            return Unknown(f"no answer within {self._deadline_s} s")
        except stripe.StripeError as error:
            return outcome_of_error(call, error)
        return Acknowledged(str(data["id"]))

    async def look_up(self, call: ProviderCall, first_tried_at: datetime) -> CallOutcome | None:
        """See ``ProviderClient.look_up``."""
        match call.operation:
            case "create":
                since = int((first_tried_at - CLOCK_SKEW).timestamp())
                objects = self._list("/v1/payment_intents", created={"gte": since})
                return await _find(objects, PAYMENT_ID_KEY, call.payment_id)
            case "refund":
                objects = self._list("/v1/refunds", payment_intent=call.object_id)
                return await _find(objects, REFUND_ID_KEY, call.refund_id)
            case _:
                intent, _ = await self._get(f"/v1/payment_intents/{call.object_id}")
                found = outcome_of_state(call, str(intent["status"]), str(intent["id"]))
        if found is None and call.operation == "confirm":
            return await self._declined_attempt(call, first_tried_at)
        return found

    async def _declined_attempt(
        self, call: ProviderCall, first_tried_at: datetime
    ) -> CallOutcome | None:
        """An attempt that failed left the intent as it was before; its event tells of it."""
        since = int((first_tried_at - CLOCK_SKEW).timestamp())
        failed = self._list(
            "/v1/events", type="payment_intent.payment_failed", created={"gte": since}
        )
        async for event in failed:
            request = event.get("request") or {}
            key = str(request.get("idempotency_key") or "")
            if key == call.key or key.startswith(f"{call.key}."):
                return Acknowledged(str(call.object_id))
        return None

    async def retrieve(self, object_id: str) -> FetchedEvent:
        """See ``ProviderClient.retrieve``.

        The event's ID is made of the object's content, so that looking at an unchanged object
        twice tells nothing twice; its time is the provider's, from the answer's Date header.
        """
        intent, headers = await self._get(f"/v1/payment_intents/{object_id}")
        content = json.dumps(intent, sort_keys=True, separators=(",", ":")).encode()
        date = headers.get("Date") or headers.get("date")
        at = parsedate_to_datetime(date) if date else datetime.now(UTC)
        event = {
            "id": f"{object_id}.{hashlib.sha256(content).hexdigest()[:24]}",
            "object": "event",
            "type": "payment_intent.retrieved",
            "created": int(at.timestamp()),
            "data": {"object": intent},
            "request": None,
        }
        return _fetched(event)

    async def events_after(self, cursor: str | None) -> AsyncIterator[Sequence[FetchedEvent]]:
        """See ``ProviderClient.events_after``. Without a cursor: all that Stripe still lists."""
        if cursor is None:
            events = [event async for event in self._list("/v1/events")]
            if events:
                yield [_fetched(event) for event in reversed(events)]
                cursor = str(events[0]["id"])
        while cursor is not None:
            page, _ = await self._get("/v1/events", limit=PAGE, ending_before=cursor)
            if not page["data"]:
                return
            yield [_fetched(event) for event in reversed(page["data"])]
            if not page["has_more"]:
                return
            cursor = str(page["data"][0]["id"])

    async def close(self) -> None:
        """See ``ProviderClient.close``."""
        await self._http.close_async()  # type: ignore[no-untyped-call]  # has no annotations

    async def _list(self, path: str, **params: Any) -> AsyncIterator[dict[str, Any]]:
        """Every object of a list, newest first. Raises ProviderUnavailableError."""
        after: dict[str, Any] = {}
        while True:
            page, _ = await self._get(path, limit=PAGE, **params, **after)
            for item in page["data"]:
                yield item
            if not page["has_more"]:
                return
            after = {"starting_after": page["data"][-1]["id"]}

    async def _get(self, path: str, **params: Any) -> tuple[dict[str, Any], Mapping[str, str]]:
        try:
            async with asyncio.timeout(self._deadline_s):
                return await self._send("get", path, **params)
        except (stripe.StripeError, TimeoutError) as error:
            raise ProviderUnavailableError(f"GET {path}: {type(error).__name__}") from error

    async def _send(
        self, method: str, path: str, **params: Any
    ) -> tuple[dict[str, Any], Mapping[str, str]]:
        response = await self._client.raw_request_async(method, path, **params)
        data: dict[str, Any] = response.data
        return data, response.headers


def _fetched(event: Mapping[str, Any]) -> FetchedEvent:
    body = json.dumps(event, separators=(",", ":")).encode()
    return FetchedEvent(read(body), body)


async def _find(
    objects: AsyncIterator[dict[str, Any]], key: str, value: str | None
) -> CallOutcome | None:
    """The object whose metadata carries our ID: the operation happened after all."""
    async for item in objects:
        if (item.get("metadata") or {}).get(key) == value:
            return Acknowledged(str(item["id"]))
    return None
