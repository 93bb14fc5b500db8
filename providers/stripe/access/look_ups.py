"""Finds out at Stripe what became of a call whose answer was lost, by the narrowest questions.

What Stripe ascribes to a call's key is the call's, and nothing else is: an event names that key.
The event of a change has the time of the change, so it is first looked for there. Only where it is
not found is the account's list read, from the call's first try to its last.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from domain.call_key import Operation
from domain.calls import ProviderCall, is_last_cancel
from ports.provider import (
    Acknowledged,
    CallOutcome,
    MissingError,
    ProviderUnavailableError,
    RateLimitedError,
    Refused,
    Unknown,
)
from providers.stripe.access.reading import Get, Item, NotAllReadError, Reading, Readings
from providers.stripe.outcomes import (
    is_caused_by,
    may_name_key,
    outcome_of_state,
    unproved,
)
from providers.stripe.refunds import REFUND_ID_KEY
from providers.stripe.requests import units_of
from providers.stripe.translate import PAYMENT_ID_KEY

#: How much Stripe's clock and ours may differ in a search by creation time.
CLOCK_SKEW: Final = timedelta(minutes=10)
#: Seconds from a change to the time that its event has, at most; both are by Stripe's clock.
EVENT_WITHIN_S: Final = 60
#: Requests and payment intents of a search; it is only a short cut.
SEARCH_REQUESTS_MAX: Final = 20
SEARCHED_MAX: Final = 5
#: Events of a confirm after which the payment intent may need another payment method.
ATTEMPT_EVENTS: Final = ("payment_intent.payment_failed", "payment_intent.requires_action")
#: The event that says which call cancelled a payment intent.
CANCELED_EVENT: Final = "payment_intent.canceled"
#: The event that says which call created a payment intent.
CREATED_EVENT: Final = "payment_intent.created"
#: The other events of a create, for when Stripe never generated that one.
CREATE_EVENTS: Final = (
    *ATTEMPT_EVENTS,
    "payment_intent.amount_capturable_updated",
    "payment_intent.processing",
    "payment_intent.succeeded",
)
#: The event of a refund's creation, and that of its charge, which accounts of old versions have.
REFUND_EVENTS: Final = ("refund.created", "charge.refunded")

Window = dict[str, int]


class LookUps:
    """The look-ups of one client. ``get`` gets a page, and raises ProviderUnavailableError."""

    def __init__(self, get: Get) -> None:
        self._readings = Readings(get)

    async def outcome(
        self, call: ProviderCall, first_tried_at: datetime, last_tried_at: datetime | None
    ) -> CallOutcome | None:
        """See ``ProviderClient.look_up``.

        It makes a bounded number of requests. If they do not show the outcome, it is unknown, and
        the next look-up of the same tries goes on where this one ended.
        """
        # without the last try, there may be one before the next look-up
        key = None if last_tried_at is None else (call.key, first_tried_at, last_tried_at)
        reading = self._readings.begin(key)
        try:
            found = await self._find(call, _window(first_tried_at, last_tried_at), reading)
        except NotAllReadError:
            return Unknown("not all that Stripe lists was read yet", is_available=True)
        except MissingError:
            self._readings.end(key)  # the object at which it would go on is gone
            raise
        self._readings.end(key)
        return found

    async def _find(
        self, call: ProviderCall, window: Window, reading: Reading
    ) -> CallOutcome | None:
        match call.operation:
            case Operation.CREATE:
                return await self._find_created(call, window, reading)
            case Operation.REFUND:
                return await self._find_refund(call, window, reading)
        intent, _ = await reading.get(f"/v1/payment_intents/{call.object_id}")
        if intent["status"] == "canceled" and is_last_cancel(call):
            return await self._find_cancel(call, intent, window, reading)
        found = outcome_of_state(call, str(intent["status"]), str(intent["id"]))
        if found is None and call.operation is Operation.CONFIRM:
            return await self._find_ended_attempt(call, window, reading)
        return found

    async def _find_created(
        self, call: ProviderCall, window: Window, reading: Reading
    ) -> CallOutcome | None:
        """Finds the payment intent that this call created, by an event that names the call.

        Our ID alone proves nothing: anybody with access can write it on another intent. An intent
        whose creation Stripe ascribes to another request is not ours. While there is one with our
        ID that Stripe ascribes to nobody, the outcome is unknown.
        """
        searched = await self._find_searched(call, reading)
        if searched is not None:
            return Acknowledged(searched)
        listed = await reading.all_of(
            "/v1/payment_intents", lambda item: _has_our_id(item, call), created=window
        )
        open_ids = {str(item["id"]) for item in listed}
        made = None  # the oldest one, should there be several
        for event in await reading.all_of(
            "/v1/events",
            lambda event: is_caused_by(event, call) or _about(event) in open_ids,
            types=(CREATED_EVENT,),
            created=window,
        ):
            if is_caused_by(event, call):
                made = _about(event)
            elif may_name_key(event):
                open_ids.discard(_about(event))
        if made is None and open_ids:
            for event in await reading.all_of(
                "/v1/events",
                lambda event: is_caused_by(event, call),
                types=CREATE_EVENTS,
                created=window,
            ):
                made = _about(event)
        if made is not None:
            return Acknowledged(made)
        return unproved(open_ids, "payment intents have our payment ID") if open_ids else None

    async def _find_searched(self, call: ProviderCall, reading: Reading) -> str | None:
        """Finds what this call created by Stripe's search, and an event that names the call.

        The search is behind by a minute, in an outage by an hour, and not every account has it. So
        it may find the intent of a call, but what it does not find may be there all the same:
        https://docs.stripe.com/api/payment_intents/search
        """
        short = Reading(reading.get, SEARCH_REQUESTS_MAX)
        query = f"metadata['{PAYMENT_ID_KEY}']:'{call.payment_id}'"
        try:
            page = await short.page("/v1/payment_intents/search", query=query)
            made = [item for item in page["data"] if _has_our_id(item, call)]
            for intent in sorted(made, key=lambda item: int(item["created"]))[:SEARCHED_MAX]:
                for event in await self._events_at(
                    short, (CREATED_EVENT, *CREATE_EVENTS), intent["created"]
                ):
                    if is_caused_by(event, call) and _about(event) == intent["id"]:
                        return str(intent["id"])
        except RateLimitedError:
            raise
        except (NotAllReadError, ProviderUnavailableError):
            return None  # the lists have it
        return None

    async def _find_refund(
        self, call: ProviderCall, window: Window, reading: Reading
    ) -> CallOutcome | None:
        """Finds the refund that this call made, by payment, amount, our ID, age and an event.

        All but the event anybody with access can copy onto another refund. The event of a refund's
        creation names the call. In an account of a version that has no such event, the charge's
        names it. An event may be lost for good: the only refund that Stripe ascribes to nobody is
        taken for ours. Anybody who copied our ID onto it gave back what was to be given back, and
        nothing is given back twice. Of several the outcome is unknown.
        """
        found = await reading.all_of(
            "/v1/refunds",
            lambda item: _may_be_made(item, call, window),
            payment_intent=call.object_id,
        )
        if not found:
            return None
        possible = list(reversed(found))  # the oldest first
        ours: dict[str, bool] = {}
        for item in possible[:SEARCHED_MAX]:
            if "created" in item:
                events = await self._events_at(reading, REFUND_EVENTS, item["created"])
                ours |= _ascribed(events, possible, call)
        if not any(ours.values()) and len(ours) < len(possible):
            ours |= _ascribed(
                await reading.all_of(
                    "/v1/events",
                    lambda event: _is_about_any(event, possible),
                    types=REFUND_EVENTS,
                    created=window,
                ),
                possible,
                call,
            )
        made = [str(item["id"]) for item in possible if ours.get(str(item["id"]))]
        if made:
            return Acknowledged(made[0])
        open_ids = {str(item["id"]) for item in possible} - ours.keys()
        if len(open_ids) == 1:
            return Acknowledged(min(open_ids))
        return unproved(open_ids, "refunds have our refund ID") if open_ids else None

    async def _find_cancel(
        self, call: ProviderCall, intent: Item, window: Window, reading: Reading
    ) -> CallOutcome:
        """Finds out whether this call cancelled the payment intent, by the event of the cancel.

        Without that event the outcome is unknown: it may be listed later. An event of an old API
        version names no key, so it proves nothing for us, and never will.
        """
        at = intent.get("canceled_at")
        for event in await reading.all_of(
            "/v1/events",
            lambda event: _about(event) == call.object_id,
            is_last=lambda _: True,
            types=(CANCELED_EVENT,),
            created=_around(at) if isinstance(at, int) else window,
        ):
            if is_caused_by(event, call):
                return Acknowledged(str(call.object_id))
            return Refused("already_final", "Another request cancelled the payment intent.")
        return Unknown(
            "the payment intent is cancelled, and no event says which call did it",
            is_available=True,
        )

    async def _find_ended_attempt(
        self, call: ProviderCall, window: Window, reading: Reading
    ) -> CallOutcome | None:
        """Finds an attempt that has ended, by an event that names this call.

        The payment intent itself looks as it did before the attempt. A decline names our call. A
        failed authentication does not, but the request to authenticate before it does.
        """
        events = await reading.all_of(
            "/v1/events",
            lambda e: (
                is_caused_by(e, call) or (_about(e) == call.object_id and not may_name_key(e))
            ),
            is_last=lambda event: is_caused_by(event, call),
            types=ATTEMPT_EVENTS,
            created=window,
        )
        if any(is_caused_by(event, call) for event in events):
            return Acknowledged(str(call.object_id))
        if not events:
            return None
        return Unknown(
            "an attempt failed, and no event says which call began it", is_available=True
        )

    async def _events_at(
        self, reading: Reading, types: Sequence[str], second: int
    ) -> Sequence[Item]:
        """Returns the events of these types about what happened in a second by Stripe's clock."""
        return await reading.all_of(
            "/v1/events", lambda _: True, types=types, created=_around(second)
        )


def _window(first_tried_at: datetime, last_tried_at: datetime | None) -> Window:
    """Returns the time, by Stripe's clock, in which the tries of a call can have happened."""
    window = {"gte": int((first_tried_at - CLOCK_SKEW).timestamp())}
    if last_tried_at is not None:
        window["lte"] = int((last_tried_at + CLOCK_SKEW).timestamp())
    return window


def _around(second: int) -> Window:
    """Returns the time in which the event of a change in this second lies."""
    return {"gte": second - 1, "lte": second + EVENT_WITHIN_S}


def _about(event: Item) -> str:
    """Returns the ID of the object that an event is about."""
    return str(event["data"]["object"]["id"])


def _has_our_id(item: Item, call: ProviderCall) -> bool:
    return (item.get("metadata") or {}).get(PAYMENT_ID_KEY) == call.payment_id


def _may_be_made(item: Item, call: ProviderCall, window: Window) -> bool:
    """Returns whether a listed refund has the ID, the amount and the age of a call's."""
    if (item.get("metadata") or {}).get(REFUND_ID_KEY) != call.refund_id:
        return False
    since = window["gte"]
    made = item.get("created", since)
    is_of_a_try = since <= made <= window.get("lte", made)
    return _amount_in(item) == units_of(call) and is_of_a_try


def _is_about_any(event: Item, refunds: Sequence[Item]) -> bool:
    return any(_about(event) in {item["id"], item.get("charge")} for item in refunds)


def _ascribed(
    events: Sequence[Item], refunds: Sequence[Item], call: ProviderCall
) -> Mapping[str, bool]:
    """Returns whether a call made each of these refunds, as far as events say it."""
    ids = {str(item["id"]) for item in refunds}
    ascribed = {
        _about(event): is_caused_by(event, call)
        for event in events
        if _about(event) in ids and may_name_key(event)
    }
    for event in events:
        if is_caused_by(event, call) and not any(ascribed.values()):
            # a charge's event does not name the refund: it is the only one that it can be about
            near = [item for item in refunds if _is_reported_by(item, event)]
            open_ids = {str(item["id"]) for item in near} - ascribed.keys()
            ascribed |= dict.fromkeys(open_ids, True) if len(open_ids) == 1 else {}
    return ascribed


def _is_reported_by(refund: Item, event: Item) -> bool:
    """Returns whether an event of the charge has the time of a refund's creation."""
    at, made = int(event["created"]), refund.get("created")
    within = _around(made) if isinstance(made, int) else {"gte": at, "lte": at}
    return _about(event) == refund.get("charge") and within["gte"] <= at <= within["lte"]


def _amount_in(refund: Item) -> int:
    """Returns a listed refund's amount. Without it, the refund could be made a second time."""
    amount = refund.get("amount")
    if not isinstance(amount, int):
        raise ProviderUnavailableError(f"refund {refund.get('id')} is listed without an amount")
    return amount
