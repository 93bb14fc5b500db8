"""The secret key of a request. Source: https://docs.stripe.com/api/authentication ."""

import base64
import binascii
import hmac

from starlette.requests import Request

from sandbox.stripe_simulator.errors import AuthenticationError


def authenticate(request: Request, secret: str) -> None:
    """Check the secret key, given as a bearer token or as a user name.

    Raises:
        AuthenticationError: the key is missing or wrong.
    """
    given = _credential(request.headers.get("authorization", ""))
    if not given:
        raise AuthenticationError("You did not provide an API key.")
    if not hmac.compare_digest(given.encode(), secret.encode()):
        raise AuthenticationError("Invalid API Key provided.")


def _credential(authorization: str) -> str:
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(value, validate=True).decode().partition(":")[0]
    except (binascii.Error, UnicodeDecodeError):
        return ""
