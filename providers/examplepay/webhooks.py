"""Verifies and reads ExamplePay's webhooks. The signature is checked before anything is parsed."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from pydantic import SecretStr

from ports.provider import Account, MalformedWebhookError, Translated, Webhook
from ports.texts import without_content
from providers.examplepay.shapes import NAME_PATTERN, Event, RoutingSubject
from providers.examplepay.signing import key_of, verified_id
from providers.examplepay.translate import NAME, event_id, subject_kind, translate
from schemas.identity import is_payment_id

_EVENT: Final = msgspec.json.Decoder(Event)
_ROUTING: Final = msgspec.json.Decoder(RoutingSubject)
_NAME: Final = re.compile(NAME_PATTERN)
#: Wrong JSON, fields or UTF-8, too deep nesting, and times outside the calendar.
_DECODE_ERRORS: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, OverflowError)


class ExamplePayWebhooks:
    """A ``WebhookReader``. There are several ``secrets`` while one replaces another."""

    name = NAME

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


class ExamplePayTranslator:
    """A ``Translator``. Without an ``account`` it does not check whose events it gets."""

    name = NAME

    def __init__(self, account: Account | None) -> None:
        self._account = account

    def translate(self, body: bytes) -> Translated:
        """See ``Translator.translate``."""
        try:
            event = _EVENT.decode(body)
            return Translated(event.name, translate(event, self._account))
        except _DECODE_ERRORS as error:
            raise MalformedWebhookError(
                f"not an ExamplePay event: {without_content(error)}"
            ) from error


def read(body: bytes) -> Webhook:
    """Returns what routing needs of an event. Raises MalformedWebhookError.

    A reference is free text, so it counts as our payment ID only if it has its form.
    """
    try:
        event = _EVENT.decode(body)
        about = _ROUTING.decode(event.subject)
    except _DECODE_ERRORS as error:
        raise MalformedWebhookError(f"not an ExamplePay event: {without_content(error)}") from error
    is_payment = subject_kind(event) == "payment"
    reference = about.reference if is_payment else about.payment_reference
    is_ours = isinstance(reference, str) and is_payment_id(reference)
    return Webhook(
        event_id=event_id(event.id),
        object_id=_name(about.id if is_payment else about.payment) or _name(about.id),
        payment_id=reference if is_ours else None,
    )


def _name(value: Any) -> str | None:
    return value if isinstance(value, str) and _NAME.match(value) else None
