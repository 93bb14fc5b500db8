"""Types of settings: their limits, how they are parsed, and what they refuse."""

import base64
import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, StringConstraints
from pydantic_settings import NoDecode

Seconds = Annotated[float, Field(gt=0)]
Port = Annotated[int, Field(ge=1, le=65535)]
HttpUrl = Annotated[str, StringConstraints(pattern=r"^https?://[^\s]+[^/\s]$")]


def _split(value: Any) -> Any:
    """Splits a comma-separated list. Keeps empty items, so that validation refuses them."""
    return tuple(item.strip() for item in value.split(",")) if isinstance(value, str) else value


def _hashed_keys(value: Any) -> Any:
    """Parses ``tenant:sha256hex,...`` to a mapping from key hash to tenant."""
    if not isinstance(value, str):
        return value
    keys: dict[str, str] = {}
    for item in _split(value):
        tenant, _, digest = item.partition(":")
        if not tenant or len(digest) != 64 or set(digest) - set("0123456789abcdef"):  # noqa: PLR2004  # SHA-256 in hex
            raise ValueError("write each item as tenant:<SHA-256 of the key in lower-case hex>")
        if keys.setdefault(digest, tenant) != tenant:
            raise ValueError(f"{tenant} and {keys[digest]} have the same key; give each its own")
    return keys


def _printable(secret: SecretStr) -> SecretStr:
    """Refuses a key that no HTTP header can carry: the HTTP client's error would repeat it."""
    if not re.fullmatch(r"[!-~]+", secret.get_secret_value()):
        raise ValueError("remove blanks, line breaks and other characters outside printable ASCII")
    return secret


ApiKey = Annotated[SecretStr, Field(min_length=8), AfterValidator(_printable)]


def _standard_webhooks_secrets(secrets: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    """Checks the form of Standard Webhooks: ``whsec_`` and 24 to 64 bytes in base64."""
    for secret in secrets:
        prefix, _, encoded = secret.get_secret_value().partition("_")
        try:
            length = len(base64.b64decode(encoded, validate=True))
        except ValueError:
            length = 0
        if prefix != "whsec" or not 24 <= length <= 64:  # noqa: PLR2004  # the standard's limits
            raise ValueError("write each secret as whsec_<24 to 64 bytes in base64>")
    return secrets


#: Secrets, comma-separated.
Secrets = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_split)]
#: Secrets of Standard Webhooks, comma-separated, at least one of them; or unset.
OptionalStandardSecrets = Annotated[
    Annotated[
        tuple[SecretStr, ...], Field(min_length=1), AfterValidator(_standard_webhooks_secrets)
    ]
    | None,
    NoDecode,
    BeforeValidator(_split),
]
#: The tenant of each API key by the key's SHA-256 in hex.
HashedKeys = Annotated[dict[str, str], NoDecode, BeforeValidator(_hashed_keys)]
