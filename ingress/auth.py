"""Who is asking: an API key's SHA-256 names its tenant. The key itself is kept nowhere."""

import hashlib
from collections.abc import Mapping

from ingress.errors import UnauthorizedError

_HOW = "Send the header 'Authorization: Bearer <API key>'."


def tenant_of(authorization: str | None, tenants: Mapping[str, str]) -> str:
    """The tenant whose API key this ``Authorization`` header carries.

    ``tenants`` maps the SHA-256 of each key, in hex, to its tenant. The look-up is by hash, so its
    timing tells nothing about a key. Raises UnauthorizedError.
    """
    if authorization is None:
        raise UnauthorizedError(f"There is no API key. {_HOW}")
    scheme, _, key = authorization.partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise UnauthorizedError(f"The Authorization header carries no API key. {_HOW}")
    tenant = tenants.get(hashlib.sha256(key.strip().encode("latin-1", "replace")).hexdigest())
    if tenant is None:
        raise UnauthorizedError("The API key is not known. Check that it is complete and current.")
    return tenant
