"""The key of a request, and what it permits.

Source: https://docs.stripe.com/api/authentication and https://docs.stripe.com/keys/restricted-api-keys
"""

import base64
import binascii
import hmac
from typing import Final

from starlette.requests import Request

from sandbox.stripe_simulator.errors import AuthenticationError, PermissionDeniedError
from sandbox.stripe_simulator.settings import SimulatorSettings

#: The operations of the restricted key, whose permission is to read payment intents.
READABLE: Final = frozenset({"payment_intent.retrieve", "payment_intent.list"})


def authenticate(request: Request, settings: SimulatorSettings, operation: str) -> None:
    """Check the key, given as a bearer token or as a user name.

    Raises:
        AuthenticationError: the key is missing or wrong.
        PermissionDeniedError: it is the restricted key, which does not permit the operation.
    """
    given = _credential(request.headers.get("authorization", ""))
    if not given:
        raise AuthenticationError("You did not provide an API key.")
    if hmac.compare_digest(given.encode(), settings.api_key.get_secret_value().encode()):
        return
    restricted = settings.read_api_key
    if restricted is None or not hmac.compare_digest(
        given.encode(), restricted.get_secret_value().encode()
    ):
        raise AuthenticationError("Invalid API Key provided.")
    if operation not in READABLE:
        raise PermissionDeniedError(
            "The provided key does not have the required permissions for this endpoint on account "
            f"'{settings.account_id}'.",
            code="more_permissions_required_for_application",
        )


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
