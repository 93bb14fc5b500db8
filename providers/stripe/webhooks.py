"""Stripe's webhooks: verified over the raw bytes before anything is parsed, then read sparingly."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
import stripe
from pydantic import SecretStr

from providers.port import MalformedWebhookError, SignatureError, Translated, Webhook
from providers.stripe.shapes import NAME_PATTERN, Event, RoutingObject
from providers.stripe.translate import PAYMENT_ID_KEY, translate

_EVENT: Final = msgspec.json.Decoder(Event)
_ROUTING: Final = msgspec.json.Decoder(RoutingObject)
_NAME: Final = re.compile(NAME_PATTERN)
#: Wrong JSON, wrong fields, wrong UTF-8, and nesting without end.
_NO_EVENT: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
SIGNATURE_HEADER: Final = "stripe-signature"


class StripeWebhooks:
    """A ``WebhookReader``. ``secrets`` may be several, while one replaces another."""

    name = "stripe"

    def __init__(self, secrets: Sequence[SecretStr], tolerance_s: int) -> None:
        self._secrets = tuple(secret.get_secret_value() for secret in secrets)
        self._tolerance_s = tolerance_s

    def verify(self, body: bytes, headers: Mapping[str, str]) -> Webhook:
        """See ``WebhookReader.verify``."""
        header = headers.get(SIGNATURE_HEADER)
        for secret in self._secrets:
            if _is_signed(body, header, secret, self._tolerance_s):
                return read(body)
        raise SignatureError(
            f"the {SIGNATURE_HEADER} header signs these bytes with none of the known secrets, "
            f"or is older than {self._tolerance_s} s"
        )

    def translate(self, body: bytes) -> Translated:
        """See ``WebhookReader.translate``."""
        try:
            event = _EVENT.decode(body)
            return Translated(event.type, translate(event))
        except _NO_EVENT as error:
            raise MalformedWebhookError(f"not a Stripe event: {error}") from error


def _is_signed(body: bytes, header: str | None, secret: str, tolerance_s: int) -> bool:
    if header is None or not header.isascii():
        return False  # the package compares ASCII only, and raises a TypeError for anything else
    try:
        return bool(stripe.WebhookSignature.verify_header(body, header, secret, tolerance_s))
    except (stripe.SignatureVerificationError, UnicodeDecodeError):
        return False


def read(body: bytes) -> Webhook:
    """What routing needs of an event. Raises MalformedWebhookError."""
    try:
        event = _EVENT.decode(body)
        about = _ROUTING.decode(event.data.object)
    except _NO_EVENT as error:
        raise MalformedWebhookError(f"not a Stripe event: {error}") from error
    metadata = about.metadata if isinstance(about.metadata, dict) else {}
    return Webhook(
        event_id=event.id,
        kind=event.type,
        object_id=_name(about.payment_intent) or _name(about.id),
        payment_id=_name(metadata.get(PAYMENT_ID_KEY)),
    )


def _name(value: Any) -> str | None:
    return value if isinstance(value, str) and _NAME.match(value) else None
