"""Every error of the simulator.

::

    SimulatorError
    └── ApiError                 a response in Stripe's error JSON
        ├── AuthenticationError  401  the key is missing or wrong
        ├── PermissionDeniedError 403 the key does not open the account, or not the operation
        ├── ParameterError       400  refused before execution
        ├── ResourceMissingError 404  for an object in the path, 400 for one in a parameter
        ├── IdempotencyError     400  the key was used for another request, or 409 it is in use
        ├── RateLimitError       429
        ├── StateError           400  the object's state forbids it
        ├── CardError            402  the card was declined
        └── ServerError          500

An error after execution began is stored under the idempotency key, and its writes are committed.
An error before that is not stored, and nothing was written (``stored`` distinguishes them).
Source: https://docs.stripe.com/api/errors and https://docs.stripe.com/api/idempotent_requests
"""

from typing import ClassVar, Literal

from sandbox.stripe_simulator.storage.types import JsonObject

_DOCUMENTED_AT = "https://docs.stripe.com/error-codes/"


class SimulatorError(Exception):
    """The base of the simulator's errors."""


class ApiError(SimulatorError):
    """An error response.

    Args:
        message: for the developer.
        code: Stripe's error code, if any.
        param: the wrong parameter.
        details: further members of the error object, such as ``decline_code``.
    """

    status: int = 400
    type: ClassVar[str] = "invalid_request_error"
    stored: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        details: JsonObject | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.param = param
        self.details = details or {}
        self.headers: dict[str, str] = {}

    def body(self) -> JsonObject:
        """The response body, ``{"error": {...}}``."""
        error: JsonObject = {**self.details, "message": self.message, "type": self.type}
        if self.code is not None:
            error["code"] = self.code
            error["doc_url"] = documentation_url(self.code)
        if self.param is not None:
            error["param"] = self.param
        return {"error": error}


class AuthenticationError(ApiError):
    """The secret key is missing or wrong."""

    status = 401


class PermissionDeniedError(ApiError):
    """The key lacks the permission for this operation, or for the account it is about."""

    status = 403


class ParameterError(ApiError):
    """A parameter is missing, unknown or malformed."""


class ResourceMissingError(ApiError):
    """No object has this ID."""

    status = 404

    def __init__(self, noun: str, object_id: str, *, param: str, in_path: bool) -> None:
        super().__init__(f"No such {noun}: '{object_id}'", code="resource_missing", param=param)
        self.status = 404 if in_path else 400


class IdempotencyError(ApiError):
    """The idempotency key was used for another request, or is in use."""

    type = "idempotency_error"

    def __init__(self, message: str, *, status: int = 400, code: str | None = None) -> None:
        super().__init__(message, code=code)
        self.status = status


class RateLimitError(ApiError):
    """Too many requests of the account, or of one endpoint; the client may retry later."""

    status = 429

    def __init__(self, reason: Literal["global-rate", "endpoint-rate"] = "global-rate") -> None:
        super().__init__("Request rate limit exceeded.", code="rate_limit")
        self.reason = reason
        self.headers = {"Stripe-Should-Retry": "true", "Stripe-Rate-Limited-Reason": reason}


class StateError(ApiError):
    """The object's state forbids the operation."""

    stored = True


class CardError(ApiError):
    """The card was declined."""

    status = 402
    type = "card_error"
    stored = True


class ServerError(ApiError):
    """Stripe's own failure."""

    status = 500
    type = "api_error"
    stored = True


def documentation_url(code: str) -> str:
    """Where Stripe documents an error code."""
    return _DOCUMENTED_AT + code.replace("_", "-")
