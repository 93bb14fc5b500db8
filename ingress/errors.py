"""What a request can end in besides success. Each class is one problem type of RFC 9457.

    IngressError
    ├── UnauthorizedError              401  no API key, or one nobody knows
    ├── RefusedRequestError
    │   ├── MissingIdempotencyKeyError 400
    │   ├── InvalidIdempotencyKeyError 400
    │   ├── MalformedRequestError      400  not plain HTTP/1.1, or readable in two ways
    │   ├── MalformedBodyError         400  absent, cut off, not JSON, a field twice
    │   ├── InvalidCursorError         400
    │   ├── SlowHeadError              408
    │   ├── SlowBodyError              408
    │   ├── BodyTooLargeError          413
    │   ├── UnsupportedMediaTypeError  415
    │   ├── InvalidFieldsError         422  names each field and the fix
    │   ├── IdempotencyKeyReusedError  422  the same key came with another body
    │   └── HeadTooLargeError          431
    ├── RefusedWebhookError
    │   └── InvalidSignatureError      400
    ├── NotFoundError
    │   ├── UnknownPaymentError        404  not a payment of this tenant
    │   ├── UnknownOperationError      404  not an operation of this tenant
    │   ├── NoClientSecretError        404  the customer has nothing to do, or not by an SDK
    │   └── UnknownProviderError       404
    ├── ClientSecretsOffError          501  no key to read them with
    └── UnavailableError               503
        ├── BrokerUnavailableError          the record's fate may be unknown
        ├── DatabaseUnavailableError
        ├── NotKnownYetError                whether the log has it can't be said
        ├── ProviderNotAnsweringError
        └── TooManyConnectionsError

``ClientGoneError`` stands apart: the sender hung up, so nobody is left to be answered.
"""

# ruff: noqa: D101  # each problem type describes itself in ``meaning``, for clients too

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import ClassVar, Final

from schemas.http import FieldProblem, Problem

PROBLEM_MEDIA_TYPE: Final = "application/problem+json"
RETRY_AFTER_S: Final = "1"


class ClientGoneError(Exception):
    """The sender closed the connection before its body was complete."""


class IngressError(Exception):
    """Base: ``slug`` ends the problem's type URI, ``detail`` says what is wrong and the fix."""

    status: ClassVar[int] = 500
    slug: ClassVar[str] = "internal-error"
    #: What ``GET`` on the type URI and the OpenAPI document say about this type.
    meaning: ClassVar[str] = "Our own code failed on this request. It is safe to send it again."
    title: ClassVar[str] = "Something went wrong here"
    headers: ClassVar[Mapping[str, str]] = MappingProxyType({})

    def __init__(self, detail: str, errors: Sequence[FieldProblem] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = tuple(errors)

    def problem(self) -> Problem:
        """The body of the answer."""
        return Problem(
            type=type_uri(self.slug),
            title=self.title,
            status=self.status,
            detail=self.detail,
            errors=self.errors,
        )


def type_uri(slug: str) -> str:
    """The relative URI that names a problem type; ``GET`` on it explains the type."""
    return f"/problems/{slug}"


class UnauthorizedError(IngressError):
    meaning = "The request carries no API key that belongs to a tenant."

    status, slug, title = 401, "unauthorized", "An API key is needed"
    headers = MappingProxyType({"WWW-Authenticate": 'Bearer realm="payments"'})


class RefusedRequestError(IngressError):
    """The request can't be accepted as it is."""


class MissingIdempotencyKeyError(RefusedRequestError):
    meaning = "Every POST names its operation with an Idempotency-Key."

    status, slug, title = 400, "idempotency-key-missing", "Idempotency-Key is missing"


class InvalidIdempotencyKeyError(RefusedRequestError):
    meaning = (
        "The Idempotency-Key is not 1 to 255 printable ASCII characters, or it begins with a "
        "quotation mark and is no string of structured fields (RFC 8941)."
    )

    status, slug, title = 400, "idempotency-key-invalid", "Idempotency-Key is not valid"


class MalformedRequestError(RefusedRequestError):
    meaning = "The bytes are not one HTTP/1.1 request that can be read in one way only."

    status, slug, title = 400, "malformed-request", "This is not a valid HTTP request"


class MalformedBodyError(RefusedRequestError):
    meaning = "The body is absent, cut off or not JSON, or names a field twice."

    status, slug, title = 400, "malformed-body", "The body can't be read"


class InvalidCursorError(RefusedRequestError):
    meaning = "The cursor is not one that a page gave out."

    status, slug, title = 400, "invalid-cursor", "The cursor is not valid"


class SlowHeadError(RefusedRequestError):
    meaning = "The request line and headers did not arrive in time."

    status, slug, title = 408, "head-too-slow", "The request did not arrive in time"


class SlowBodyError(RefusedRequestError):
    meaning = "The body did not arrive in time."

    status, slug, title = 408, "body-too-slow", "The body did not arrive in time"


class BodyTooLargeError(RefusedRequestError):
    meaning = "The body is larger than ``PAYMENTS_BODY_LIMIT_BYTES``."

    status, slug, title = 413, "body-too-large", "The body is too large"


class UnsupportedMediaTypeError(RefusedRequestError):
    meaning = "The body is not declared as JSON in UTF-8, or is compressed."

    status, slug, title = 415, "unsupported-media-type", "The body has a form that is not read"


class InvalidFieldsError(RefusedRequestError):
    meaning = "One or more fields are wrong; ``errors`` names each, and how to fix it."

    status, slug, title = 422, "invalid-fields", "Some fields are not valid"


class IdempotencyKeyReusedError(RefusedRequestError):
    meaning = "This Idempotency-Key came before with another body."

    status, slug, title = 422, "idempotency-key-reused", "Idempotency-Key was used before"


class HeadTooLargeError(RefusedRequestError):
    meaning = "The request has more besides its body than ``PAYMENTS_HEAD_LIMIT_BYTES``."

    status, slug, title = 431, "head-too-large", "The request's head is too large"


class RefusedWebhookError(IngressError):
    """A webhook that is stored nowhere."""


class InvalidSignatureError(RefusedWebhookError):
    meaning = "None of the provider's secrets signed these bytes recently."

    status, slug, title = 400, "invalid-signature", "The signature does not hold"


class NotFoundError(IngressError):
    meaning = "There is nothing at this address for this tenant."

    status, slug, title = 404, "not-found", "Not found"


class UnknownPaymentError(NotFoundError):
    meaning = "There is no payment of this tenant with this ID."

    slug, title = "unknown-payment", "There is no such payment"


class UnknownOperationError(NotFoundError):
    meaning = "There is no operation of this tenant with this ID."

    slug, title = "unknown-operation", "There is no such operation"


class NoClientSecretError(NotFoundError):
    meaning = "The payment has no client secret that its customer could use now."

    slug, title = "no-client-secret", "There is no client secret"


class UnknownProviderError(NotFoundError):
    meaning = "No provider of this name sends webhooks here."

    slug, title = "unknown-provider", "There is no such provider"


class ClientSecretsOffError(IngressError):
    meaning = "This service is not configured to read client secrets."

    status, slug, title = 501, "client-secrets-off", "Client secrets are not served here"


class UnavailableError(IngressError):
    meaning = "Something this request needs does not answer; the same request may succeed later."

    status, slug, title = 503, "unavailable", "Temporarily unavailable"
    headers = MappingProxyType({"Retry-After": RETRY_AFTER_S})


class BrokerUnavailableError(UnavailableError):
    # ``sent``: the record may nevertheless be in the log, now or later
    meaning = "The log did not take the record in time."

    slug, title = "broker-unavailable", "The log does not answer"

    def __init__(self, reason: str, *, sent: bool) -> None:
        super().__init__("The request was not confirmed in time. Send it again, unchanged.")
        self.reason = reason
        self.sent = sent


class DatabaseUnavailableError(UnavailableError):
    meaning = "Postgres did not answer in time. Nothing but reading needs it."

    slug, title = "database-unavailable", "The store does not answer"

    def __init__(self, reason: str) -> None:
        super().__init__("Payments can't be read at the moment. Try again.")
        self.reason = reason


class NotKnownYetError(UnavailableError):
    meaning = (
        "The store does not have it, and whether the log does can't be said at the moment: the log "
        "does not answer, or more of it waits for the stream than this process knows."
    )

    slug, title = "not-known-yet", "It is not known yet"

    def __init__(self) -> None:
        super().__init__("Whether there is such a thing can't be said at the moment. Try again.")


class ProviderNotAnsweringError(UnavailableError):
    meaning = "The payment's provider did not answer in time."

    slug, title = "provider-unavailable", "The provider does not answer"

    def __init__(self, reason: str) -> None:
        super().__init__("The provider can't be asked at the moment. Try again.")
        self.reason = reason


class TooManyConnectionsError(UnavailableError):
    meaning = "As many connections are open as may be, so this one was closed. Connect again."

    slug, title = "too-many-connections", "Too many connections"


PROBLEMS: Final[tuple[type[IngressError], ...]] = (
    UnauthorizedError,
    MissingIdempotencyKeyError,
    InvalidIdempotencyKeyError,
    MalformedRequestError,
    MalformedBodyError,
    InvalidCursorError,
    SlowHeadError,
    SlowBodyError,
    BodyTooLargeError,
    UnsupportedMediaTypeError,
    InvalidFieldsError,
    IdempotencyKeyReusedError,
    HeadTooLargeError,
    InvalidSignatureError,
    NotFoundError,
    UnknownPaymentError,
    UnknownOperationError,
    NoClientSecretError,
    UnknownProviderError,
    ClientSecretsOffError,
    BrokerUnavailableError,
    DatabaseUnavailableError,
    NotKnownYetError,
    ProviderNotAnsweringError,
    TooManyConnectionsError,
    IngressError,
)
