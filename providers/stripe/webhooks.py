"""Verifies and reads Stripe's webhooks. The signature is checked before anything is parsed."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final

import msgspec
import stripe
from pydantic import SecretStr

from ports.provider import (
    Account,
    MalformedObjectError,
    MalformedWebhookError,
    SignatureError,
    Translated,
    Webhook,
    named_payment,
)
from ports.texts import decoded, without_content
from providers.stripe.secrets_in_bodies import without_client_secrets
from providers.stripe.shapes import NAME_PATTERN, Event, RoutingObject
from providers.stripe.translate import PAYMENT_ID_KEY, is_about_payment, translate

_EVENT: Final = msgspec.json.Decoder(Event)
_ROUTING: Final = msgspec.json.Decoder(RoutingObject)
_SECONDS: Final = re.compile(r"\A[0-9]{1,12}\Z")
_NAME: Final = re.compile(NAME_PATTERN)
#: Wrong JSON, fields or UTF-8, and too deep nesting.
DECODE_ERRORS: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
#: The account of the environment's settings has the provider's name.
NAME: Final = "stripe"
SIGNATURE_HEADER: Final = "stripe-signature"


class StripeWebhooks:
    """A ``WebhookReader``. There are several ``secrets`` while one replaces another.

    ``connected`` are the accounts that are reached through this one: their names here, by what
    Stripe calls them. A platform's endpoint gets the events of all of them.
    """

    provider = NAME

    def __init__(
        self,
        secrets: Sequence[SecretStr],
        tolerance_s: int,
        clock: Callable[[], datetime],
        name: str = NAME,
        connected: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.name = name
        self._connected = connected
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
            webhook = self._webhook(body)
            owner = self._connected.get(webhook.account or "")
            event_id = scoped(owner or self.name, webhook.event_id)
            return replace(webhook, event_id=event_id, provider=owner)
        raise SignatureError(
            f"the {SIGNATURE_HEADER} header has no valid signature by a configured secret"
        )

    def _webhook(self, body: bytes) -> Webhook:
        return read(body)

    def without_secrets(self, body: bytes) -> bytes:
        """See ``WebhookReader.without_secrets``."""
        return without_client_secrets(body)


class StripeTranslator:
    """A ``Translator`` of the events of one account."""

    def __init__(self, account: Account, name: str = NAME) -> None:
        self.name = name
        self._account = account

    def translate(self, body: bytes) -> Translated:
        """See ``Translator.translate``."""
        try:
            return decoded(self._translate, body)
        except DECODE_ERRORS as error:
            raise _malformed(body, without_content(error)) from error
        except MalformedWebhookError as error:
            raise _malformed(body, str(error)) from error

    def _translate(self, body: bytes) -> Translated:
        event = _EVENT.decode(body)
        event.id = scoped(self.name, event.id)
        return Translated(event.type, translate(event, self._account), is_about_payment(event))


def _malformed(body: bytes, why: str) -> MalformedWebhookError:
    """Returns the error of a body that can't be translated; it names the event if it is one."""
    try:
        event = decoded(_EVENT.decode, body)
    except DECODE_ERRORS:
        return MalformedWebhookError(f"not a Stripe event: {why}")
    why = f"its object can't be decoded: {why}"
    return MalformedObjectError(why, event.type, is_payment=is_about_payment(event))


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


def scoped(name: str, event_id: str) -> str:
    """Returns the ID of an event of this account, unique among those of all accounts.

    Stripe's own are, but anybody who has the webhook secret of one account can make up others.
    """
    return event_id if name == NAME else f"{name}:{event_id}"


def read(body: bytes) -> Webhook:
    """Returns what routing needs of an event. Raises MalformedWebhookError."""
    try:
        return decoded(_read, body)
    except DECODE_ERRORS as error:
        raise MalformedWebhookError(f"not a Stripe event: {without_content(error)}") from error


def _read(body: bytes) -> Webhook:
    event = _EVENT.decode(body)
    about = _ROUTING.decode(event.data.object)
    metadata = about.metadata if isinstance(about.metadata, dict) else {}
    return Webhook(
        event_id=event.id,
        object_id=name_or_none(about.payment_intent) or name_or_none(about.id),
        payment_id=named_payment(event.key, name_or_none(metadata.get(PAYMENT_ID_KEY))),
        account=event.account or event.user_id,
    )


def name_or_none(value: Any) -> str | None:
    """Returns the value if it can be an ID of Stripe."""
    return value if isinstance(value, str) and _NAME.match(value) else None


def time_or_none(value: Any) -> datetime | None:
    """Returns the value, in seconds, as a time if it can be one."""
    try:
        return datetime.fromtimestamp(value, UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return None
