"""Types of settings: their limits, how they are parsed, and what they refuse."""

import base64
import re
from ipaddress import ip_address
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, StringConstraints
from pydantic_settings import NoDecode

#: A hundred years. Now plus or minus this is still a date.
DURATION_MAX_S: Final = 36_525 * 86_400
Seconds = Annotated[float, Field(gt=0, le=DURATION_MAX_S, allow_inf_nan=False)]
Port = Annotated[int, Field(ge=1, le=65535)]

_NAME: Final = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_.])?", re.ASCII)
_BROKER: Final = re.compile(r"(?:\[([^\[\]]*)\]|([^\[\]:]*)):([0-9]{1,5})", re.ASCII)
_PORT_MAX: Final = 65_535


def _is_host(text: str) -> bool:
    """Whether it has the form of an address or a name. A name of digits alone is an address."""
    if ":" in text or re.fullmatch(r"[0-9.]+", text):
        try:
            ip_address(text)
        except ValueError:
            return False
        return True
    return _NAME.fullmatch(text) is not None


def _host(text: str) -> str:
    if not _is_host(text):
        raise ValueError("write an IP address or a host name, without a port")
    return text


def _brokers(text: str) -> str:
    """Returns the brokers without blanks. Raises ValueError for what is not ``host:port``."""
    items = [item.strip() for item in text.split(",")]
    for item in items:
        found = _BROKER.fullmatch(item)
        host = (found[1] or found[2] or "") if found else ""
        if (
            not found
            or not _is_host(host)
            or (":" in host) != (found[1] is not None)
            or not 1 <= int(found[3]) <= _PORT_MAX
        ):
            raise ValueError(
                "write each broker as host:port, without a scheme, and with a port from 1 to 65535"
            )
    return ",".join(items)


def _with_host(url: str) -> str:
    try:
        parts = urlsplit(url)
        usable = bool(parts.hostname) and parts.port != 0
    except ValueError:  # the port is no number, or a bracket is open
        usable = False
    if not usable:
        raise ValueError("write http(s)://host or http(s)://host:port")
    return url


HttpUrl = Annotated[
    str, StringConstraints(pattern=r"^https?://[^\s]+[^/\s]$"), AfterValidator(_with_host)
]
#: An address to listen on.
Host = Annotated[str, AfterValidator(_host)]
#: Brokers as ``host:port``, comma-separated.
Brokers = Annotated[str, AfterValidator(_brokers)]


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


def _long_enough(secrets: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    shortest = 8
    if any(len(secret.get_secret_value()) < shortest for secret in secrets):
        raise ValueError(f"use webhook secrets of at least {shortest} characters")
    return secrets


_LongSecrets = Annotated[tuple[SecretStr, ...], Field(min_length=1), AfterValidator(_long_enough)]
#: Secrets of webhooks, comma-separated.
Secrets = Annotated[_LongSecrets, NoDecode, BeforeValidator(_split)]
#: The same, or unset.
OptionalSecrets = Annotated[_LongSecrets | None, NoDecode, BeforeValidator(_split)]
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
