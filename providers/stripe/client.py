"""The client of Stripe's API, on Stripe's package: calls, look-ups and undelivered events."""

import asyncio
import hashlib
import json
import re
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final

import stripe

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
from providers.stripe.outcomes import MISSING, outcome_of_error, outcome_of_state
from providers.stripe.requests import request_for
from providers.stripe.translate import PAYMENT_ID_KEY, REFUND_ID_KEY
from providers.stripe.webhooks import read
from schemas.settings import StripeSettings

#: How much Stripe's clock and ours may differ in a search by creation time.
CLOCK_SKEW: Final = timedelta(minutes=10)
PAGE: Final = 100
#: Objects that a reason names.
SHOWN: Final = 3
#: Events of a confirm after which the payment intent may need another payment method.
ATTEMPT_EVENTS: Final = ("payment_intent.payment_failed", "payment_intent.requires_action")
#: The event that says which call created a payment intent.
CREATED_EVENT: Final = "payment_intent.created"
#: The other events of a create, for when Stripe never generated that one.
CREATE_EVENTS: Final = (
    *ATTEMPT_EVENTS,
    "payment_intent.amount_capturable_updated",
    "payment_intent.processing",
    "payment_intent.succeeded",
)


#: Secret and restricted keys contain their mode: ``sk_live_...``, ``rk_test_...``.
_KEY_MODE: Final = re.compile(r"\A[a-z]+_(live|test)_")


def is_live_key(api_key: str) -> bool | None:
    """Returns whether the key is of live mode, or None if it does not contain its mode."""
    found = _KEY_MODE.match(api_key)
    return found[1] == "live" if found is not None else None


class _MissingError(ProviderUnavailableError):
    """The requested object or event does not exist."""


class StripeApi:
    """A ``ProviderClient``. It does not retry: the package's retries are off."""

    name = "stripe"

    def __init__(self, settings: StripeSettings, http: stripe.HTTPClient | None = None) -> None:
        self._deadline_s = settings.stripe_timeout_s
        self._http = http or stripe.HTTPXClient(timeout=settings.stripe_timeout_s)
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
            return Unknown(f"no response within {self._deadline_s} s")
        except stripe.StripeError as error:
            return outcome_of_error(call, error)
        return Acknowledged(str(data["id"]))

    async def look_up(self, call: ProviderCall, first_tried_at: datetime) -> CallOutcome | None:
        """See ``ProviderClient.look_up``."""
        match call.operation:
            case Operation.CREATE:
                return await self._find_created(call, first_tried_at)
            case Operation.REFUND:
                return await self._find_refund(call, first_tried_at)
            case _:
                intent, _ = await self._get(f"/v1/payment_intents/{call.object_id}")
                found = outcome_of_state(call, str(intent["status"]), str(intent["id"]))
        if found is None and call.operation is Operation.CONFIRM:
            return await self._find_ended_attempt(call, first_tried_at)
        return found

    async def _find_created(
        self, call: ProviderCall, first_tried_at: datetime
    ) -> CallOutcome | None:
        """Finds the payment intent that this call created, by an event that names the call.

        Our ID alone proves nothing: anybody with access can write it on another intent. An intent
        whose creation Stripe ascribes to another request is not ours. While there is one with our
        ID that Stripe ascribes to nobody, the outcome is unknown.
        """
        since = {"gte": int((first_tried_at - CLOCK_SKEW).timestamp())}
        open_ids = {
            str(item["id"])
            async for item in self._list("/v1/payment_intents", created=since)
            if (item.get("metadata") or {}).get(PAYMENT_ID_KEY) == call.payment_id
        }
        made = None  # the oldest one, should there be several
        async for event in self._list("/v1/events", types=(CREATED_EVENT,), created=since):
            if _is_caused_by(event, call):
                made = str(event["data"]["object"]["id"])
            elif not isinstance(event.get("request"), str):  # an old API version has no key there
                open_ids.discard(str(event["data"]["object"]["id"]))
        if made is None and open_ids:
            async for event in self._list("/v1/events", types=CREATE_EVENTS, created=since):
                if _is_caused_by(event, call):
                    made = str(event["data"]["object"]["id"])
        if made is not None:
            return Acknowledged(made)
        return _unproved(open_ids) if open_ids else None

    async def _find_refund(
        self, call: ProviderCall, first_tried_at: datetime
    ) -> CallOutcome | None:
        """Finds the refund that this call made, by payment, amount, our ID and age.

        Our ID alone is not enough: anybody with access can write it on another refund. The event of
        a refund's creation names the call. If Stripe no longer lists it, the oldest refund is ours.
        """
        since = int((first_tried_at - CLOCK_SKEW).timestamp())
        found = [
            str(item["id"])
            async for item in self._list("/v1/refunds", payment_intent=call.object_id)
            if (item.get("metadata") or {}).get(REFUND_ID_KEY) == call.refund_id
            and item.get("amount") == call.amount
            and item.get("created", since) >= since
        ]
        if not found:
            return None
        created = self._list("/v1/events", types=("refund.created",), created={"gte": since})
        ours = {str(e["data"]["object"]["id"]): _is_caused_by(e, call) async for e in created}
        oldest_first = reversed([ref for ref in found if ours.get(ref, True)])
        made = sorted(oldest_first, key=lambda ref: ref not in ours)
        return Acknowledged(made[0]) if made else None

    async def _find_ended_attempt(
        self, call: ProviderCall, first_tried_at: datetime
    ) -> CallOutcome | None:
        """Finds an attempt that has ended, by an event that names this call.

        The payment intent itself looks as it did before the attempt. A decline names our call. A
        failed authentication does not, but the request to authenticate before it does.
        """
        since = int((first_tried_at - CLOCK_SKEW).timestamp())
        events = self._list("/v1/events", types=ATTEMPT_EVENTS, created={"gte": since})
        async for event in events:
            if _is_caused_by(event, call):
                return Acknowledged(str(call.object_id))
        return None

    async def retrieve(self, object_id: str) -> FetchedEvent:
        """See ``ProviderClient.retrieve``.

        The event's ID is a digest of the object's content, so an unchanged object gives the same
        event. Its time is Stripe's, from the Date header of the response.
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
            "livemode": intent.get("livemode"),
            "data": {"object": intent},
            "request": None,
        }
        return _fetched(event)

    async def events_after(self, cursor: str | None) -> AsyncIterator[Sequence[FetchedEvent]]:
        """See ``ProviderClient.events_after``. Without a cursor it yields all that Stripe lists.

        So it does if Stripe no longer lists the cursor's event, after 30 days or because test data
        was deleted. The processor drops duplicates.
        """
        page = await self._page_after(cursor) if cursor is not None else None
        if page is None:
            events = [event async for event in self._list("/v1/events")]
            if not events:
                return
            yield [_fetched(event) for event in reversed(events)]
            page = await self._page_after(events[0]["id"])
        while page is not None and page["data"]:
            yield [_fetched(event) for event in reversed(page["data"])]
            if not page["has_more"]:
                return
            page = await self._page_after(page["data"][0]["id"])

    async def _page_after(self, cursor: str) -> dict[str, Any] | None:
        """Returns the next events after this one, newest first, or None if it is not listed."""
        try:
            page, _ = await self._get("/v1/events", limit=PAGE, ending_before=cursor)
        except _MissingError:
            return None
        return page

    async def close(self) -> None:
        """See ``ProviderClient.close``."""
        await self._http.close_async()  # type: ignore[no-untyped-call]  # has no annotations

    async def _list(self, path: str, **params: Any) -> AsyncIterator[dict[str, Any]]:
        """Yields every object of a list, newest first. Raises ProviderUnavailableError."""
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
            code = error.code if isinstance(error, stripe.StripeError) else None
            kind = _MissingError if code == MISSING else ProviderUnavailableError
            raise kind(f"GET {path}: {type(error).__name__}, {code or 'no code'}") from error

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
        if not isinstance(data, dict) or "object" not in data:
            raise stripe.APIError("the response is not a Stripe object")
        return data, response.headers


def _fetched(event: Mapping[str, Any]) -> FetchedEvent:
    body = json.dumps(event, separators=(",", ":")).encode()
    try:
        return FetchedEvent(read(body), body)
    except MalformedWebhookError as error:
        raise ProviderUnavailableError(f"the fetched event is malformed: {error}") from error


def _is_caused_by(event: Mapping[str, Any], call: ProviderCall) -> bool:
    """Returns whether an event names this call's key, of any generation, as its cause."""
    request = event.get("request")
    key = request.get("idempotency_key") if isinstance(request, dict) else None
    return is_key_of(str(key), call.key)


def _unproved(object_ids: Collection[str]) -> Unknown:
    """Returns the outcome of a create if these intents have our ID, but nothing proves them."""
    shown = ", ".join(sorted(object_ids)[:SHOWN])
    return Unknown(
        f"{len(object_ids)} payment intents have our payment ID, and no event says which call "
        f"created them: {shown}",
        is_available=True,
    )
