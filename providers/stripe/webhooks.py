"""Verifies and reads Stripe's webhooks. The signature is checked before anything is parsed."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
import stripe
from pydantic import SecretStr

from ports.provider import Account, MalformedWebhookError, SignatureError, Translated, Webhook
from ports.texts import without_content
from providers.stripe.shapes import NAME_PATTERN, Event, RoutingObject
from providers.stripe.translate import PAYMENT_ID_KEY, translate

_EVENT: Final = msgspec.json.Decoder(Event)
_ROUTING: Final = msgspec.json.Decoder(RoutingObject)
_SECONDS: Final = re.compile(r"\A[0-9]{1,12}\Z")
_NAME: Final = re.compile(NAME_PATTERN)
#: Wrong JSON, fields or UTF-8, and too deep nesting.
_DECODE_ERRORS: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
SIGNATURE_HEADER: Final = "stripe-signature"


class StripeWebhooks:
    """A ``WebhookReader``. There are several ``secrets`` while one replaces another."""

    name = "stripe"

    def __init__(
        self, secrets: Sequence[SecretStr], tolerance_s: int, clock: Callable[[], datetime]
    ) -> None:
        self._secrets = tuple(secret.get_secret_value() for secret in secrets)
        self._tolerance_s = tolerance_s
        self._clock = clock

    def verify(self, body: bytes, headers: Mapping[str, str]) -> Webhook:
        """See ``WebhookReader.verify``."""
        header = headers.get(SIGNATURE_HEADER, "")
        signed_at = _time_of(header)
        if abs(self._clock().timestamp() - signed_at) > self._tolerance_s:
            raise SignatureError(
                f"the time in {SIGNATURE_HEADER} is more than {self._tolerance_s} s from now"
            )
        if any(_is_signed(body, header, secret) for secret in self._secrets):
            return read(body)
        raise SignatureError(
            f"the {SIGNATURE_HEADER} header has no valid signature by a configured secret"
        )


class StripeTranslator:
    """A ``Translator`` of the events of one account."""

    name = "stripe"

    def __init__(self, account: Account) -> None:
        self._account = account

    def translate(self, body: bytes) -> Translated:
        """See ``Translator.translate``."""
        try:
            event = _EVENT.decode(body)
            return Translated(event.type, translate(event, self._account))
        except _DECODE_ERRORS as error:
            raise MalformedWebhookError(f"not a Stripe event: {without_content(error)}") from error


def _time_of(header: str) -> int:
    """Returns the header's signing time in seconds since the epoch. Raises SignatureError.

    Stripe's package would use its own clock, and accept a time in the future.
    """
    for item in header.split(","):
        name, _, value = item.partition("=")
        if name == "t":
            if _SECONDS.match(value):
                return int(value)
            break
    raise SignatureError(f"the {SIGNATURE_HEADER} header is missing, or has no time in seconds")


def _is_signed(body: bytes, header: str, secret: str) -> bool:
    if not header.isascii():
        return False  # the package raises TypeError for anything but ASCII
    try:
        return bool(stripe.WebhookSignature.verify_header(body, header, secret, tolerance=None))
    except (stripe.SignatureVerificationError, UnicodeDecodeError):
        return False


def read(body: bytes) -> Webhook:
    """Returns what routing needs of an event. Raises MalformedWebhookError."""
    try:
        event = _EVENT.decode(body)
        about = _ROUTING.decode(event.data.object)
    except _DECODE_ERRORS as error:
        raise MalformedWebhookError(f"not a Stripe event: {without_content(error)}") from error
    metadata = about.metadata if isinstance(about.metadata, dict) else {}
    return Webhook(
        event_id=event.id,
        object_id=_name(about.payment_intent) or _name(about.id),
        payment_id=_name(metadata.get(PAYMENT_ID_KEY)),
    )


def _name(value: Any) -> str | None:
    return value if isinstance(value, str) and _NAME.match(value) else None
