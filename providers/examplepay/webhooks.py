"""Verifies and reads ExamplePay's webhooks. The signature is checked before anything is parsed."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from pydantic import SecretStr

from ports.provider import (
    Account,
    MalformedObjectError,
    MalformedWebhookError,
    Translated,
    Webhook,
    named_payment,
)
from ports.texts import decoded, without_content
from providers.examplepay.shapes import NAME_PATTERN, Event, Occurred, RoutingSubject
from providers.examplepay.signing import key_of, verified_id
from providers.examplepay.translate import NAME, event_id, is_about_payment, translate
from schemas.identity import is_payment_id

_EVENT: Final = msgspec.json.Decoder(Event)
_ROUTING: Final = msgspec.json.Decoder(RoutingSubject)
_OCCURRED: Final = msgspec.json.Decoder(Occurred)
_NAME: Final = re.compile(NAME_PATTERN)
#: Wrong JSON, fields or UTF-8, too deep nesting, and times outside the calendar.
_DECODE_ERRORS: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, OverflowError)


class ExamplePayWebhooks:
    """A ``WebhookReader``. There are several ``secrets`` while one replaces another."""

    name = NAME
    provider = NAME

    def __init__(
        self, secrets: Sequence[SecretStr], tolerance_s: int, clock: Callable[[], datetime]
    ) -> None:
        self._keys = tuple(key_of(secret.get_secret_value()) for secret in secrets)
        self._tolerance_s = tolerance_s
        self._clock = clock

    def verify(self, body: bytes, headers: Mapping[str, str]) -> Webhook:
        """See ``WebhookReader.verify``."""
        message_id = verified_id(body, headers, self._keys, self._tolerance_s, self._clock())
        webhook = read(body)
        if webhook.event_id != event_id(message_id):
            raise MalformedWebhookError("the signed webhook-id is not the event's ID")
        return webhook

    def without_secrets(self, body: bytes) -> bytes:
        """See ``WebhookReader.without_secrets``. ExamplePay's events have none."""
        return body


class ExamplePayTranslator:
    """A ``Translator``. Without an ``account`` it does not check whose events it gets."""

    name = NAME

    def __init__(self, account: Account | None) -> None:
        self._account = account

    def translate(self, body: bytes) -> Translated:
        """See ``Translator.translate``."""
        try:
            return decoded(self._translate, body)
        except _DECODE_ERRORS as error:
            raise _malformed(body, without_content(error)) from error
        except MalformedWebhookError as error:
            raise _malformed(body, str(error)) from error

    def _translate(self, body: bytes) -> Translated:
        event = _EVENT.decode(body)
        return Translated(event.name, translate(event, self._account), is_about_payment(event))


def _malformed(body: bytes, why: str) -> MalformedWebhookError:
    """Returns the error of a body that can't be translated; it names the event if it is one."""
    try:
        event = decoded(_EVENT.decode, body)
    except _DECODE_ERRORS:
        return MalformedWebhookError(f"not an ExamplePay event: {why}")
    why = f"its subject can't be decoded: {why}"
    return MalformedObjectError(why, event.name, is_payment=is_about_payment(event))


def read(body: bytes) -> Webhook:
    """Returns what routing needs of an event. Raises MalformedWebhookError.

    A reference is free text, so it counts as our payment ID only if it has its form.
    """
    try:
        return decoded(_read, body)
    except _DECODE_ERRORS as error:
        raise MalformedWebhookError(f"not an ExamplePay event: {without_content(error)}") from error


def _read(body: bytes) -> Webhook:
    event = _EVENT.decode(body)
    about = _ROUTING.decode(event.subject)
    is_payment = is_about_payment(event)
    reference = about.reference if is_payment else about.payment_reference
    is_ours = isinstance(reference, str) and is_payment_id(reference)
    void_key = about.void_key if isinstance(about.void_key, str) else None
    return Webhook(
        event_id=event_id(event.id),
        object_id=_name(about.id if is_payment else about.payment) or _name(about.id),
        payment_id=named_payment(void_key, reference if is_ours else None),
    )


def listed_id(body: bytes) -> str | None:
    """Returns the ID of a listed event of which nothing else may be as we know it."""
    try:
        event = decoded(msgspec.json.decode, body)
    except _DECODE_ERRORS:
        return None
    their_id = _name(event.get("id")) if isinstance(event, dict) else None
    return event_id(their_id) if their_id is not None else None


def listed_at(body: bytes) -> datetime | None:
    """Returns when a listed event happened, if that can be read."""
    try:
        return _OCCURRED.decode(body).occurred_at
    except _DECODE_ERRORS:
        return None


def _name(value: Any) -> str | None:
    return value if isinstance(value, str) and _NAME.match(value) else None
