"""Authentication: the SHA-256 of an API key identifies its tenant. The key is never stored."""

import hashlib
from collections.abc import Mapping

from ingress.errors import UnauthorizedError

_FIX = "Send the header 'Authorization: Bearer <API key>'."


def tenant_of(authorization: str | None, tenants: Mapping[str, str]) -> str:
    """Returns the tenant whose API key this ``Authorization`` header carries.

    ``tenants`` maps the SHA-256 of each key, in hex, to its tenant. The look-up is by hash, so its
    timing reveals nothing about a key. Raises UnauthorizedError.
    """
    if authorization is None:
        raise UnauthorizedError(f"The request has no API key. {_FIX}")
    scheme, _, key = authorization.partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise UnauthorizedError(f"The Authorization header has no API key. {_FIX}")
    tenant = tenants.get(hashlib.sha256(key.strip().encode("latin-1", "replace")).hexdigest())
    if tenant is None:
        raise UnauthorizedError("The API key is unknown. Check that it is complete and current.")
    return tenant
