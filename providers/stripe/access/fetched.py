"""Turns what Stripe's API returns into events, as webhooks would have brought them. Pure."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final, NamedTuple

from ports.provider import (
    FetchedEvent,
    MalformedWebhookError,
    ProviderUnavailableError,
    Webhook,
    unreadable,
)
from providers.stripe.refunds import RETRIEVED_REFUND
from providers.stripe.secrets_in_bodies import without_client_secrets
from providers.stripe.translate import RETRIEVED_DISPUTE, RETRIEVED_WARNING
from providers.stripe.webhooks import name_or_none, read, scoped, time_or_none

#: By kind: where Stripe lists the parts of payment intents, and the type of an event that is made
#: of one. Those of which there are few come first.
PARTS: Final[Mapping[str, tuple[str, str]]] = {
    "disputes": ("/v1/disputes", RETRIEVED_DISPUTE),
    "fraud_warnings": ("/v1/radar/early_fraud_warnings", RETRIEVED_WARNING),
    "refunds": ("/v1/refunds", RETRIEVED_REFUND),
}


class RefusedError(ProviderUnavailableError):
    """Stripe understood the request and refused it, for a wrong parameter for example."""


def is_object(data: Any) -> bool:
    """Whether it has the form of one of Stripe's objects. Something between may answer too."""
    return isinstance(data, dict) and "object" in data and isinstance(data.get("id"), str)


def is_list(data: Any) -> bool:
    """Whether it has the form of a page of a list. One item without a form spoils no others."""
    if not isinstance(data, dict) or not isinstance(data.get("has_more"), bool):
        return False
    items = data.get("data")
    return isinstance(items, list) and all(isinstance(item, dict) for item in items)


class Answered(NamedTuple):
    """When a request was answered."""

    #: By Stripe's clock, in whole seconds.
    date: datetime
    #: From sending the request to the whole response.
    took: timedelta

    @property
    def asked_at(self) -> datetime:
        """A time that is not after Stripe read what it answered with.

        What changed while the response was on its way is later.
        """
        return self.date - self.took


def answered(headers: Mapping[str, str], took_s: float) -> Answered:
    """Returns when a request was answered that took so many seconds."""
    date = headers.get("Date") or headers.get("date")
    at = parsedate_to_datetime(date) if date else datetime.now(UTC)
    return Answered(at, timedelta(seconds=took_s))


def retrieved(
    kind: str, about: Mapping[str, Any], at: datetime, *, is_live: bool
) -> dict[str, Any]:
    """Returns an object's present state as an event of this type.

    The event's ID is a digest of the object's content, so an unchanged object gives the same
    event. It has no API version, so it is read in the newest form, and names no request.

    Args:
        kind: the type of the event, of our own.
        about: the object.
        at: a time by Stripe's clock.
        is_live: the mode of the API key: a refund does not say its own.
    """
    content = json.dumps(about, sort_keys=True, separators=(",", ":")).encode()
    return {
        "id": f"{about.get('id')}.{hashlib.sha256(content).hexdigest()[:24]}",
        "object": "event",
        "type": kind,
        "created": int(at.timestamp()),
        "livemode": about.get("livemode", is_live),
        "data": {"object": about},
        "request": None,
    }


def fetched(event: Mapping[str, Any], name: str) -> FetchedEvent:
    """Returns an event about one object of the account of this name.

    Raises ProviderUnavailableError if it can't be read.
    """
    body = _body(event)
    try:
        return FetchedEvent(_scoped(read(body), name), body)
    except MalformedWebhookError as error:
        raise ProviderUnavailableError(f"the fetched event is malformed: {error}") from error


def listed(event: Mapping[str, Any], name: str) -> FetchedEvent:
    """Returns an event of a list; one that can't be read keeps its ID, which the cursor needs."""
    body, at = _body(event), time_or_none(event.get("created"))
    try:
        return FetchedEvent(_scoped(read(body), name), body, at)
    except MalformedWebhookError:
        kept = unreadable(body, name_or_none(event.get("id")))
        return FetchedEvent(_scoped(kept, name), body, at)


def _scoped(webhook: Webhook, name: str) -> Webhook:
    return replace(webhook, event_id=scoped(name, webhook.event_id))


def _body(event: Mapping[str, Any]) -> bytes:
    """Returns what is kept of a fetched event."""
    return without_client_secrets(json.dumps(event, separators=(",", ":")).encode())
