"""Verifies signatures of the Standard Webhooks specification, version 1: HMAC-SHA256.

The signed text is ``<webhook-id>.<webhook-timestamp>.<body>``. The header ``webhook-signature`` has
one or more signatures, separated by spaces, each with its version: ``v1,<base64>``.
"""

import base64
import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Final

from ports.provider import SignatureError

ID_HEADER: Final = "webhook-id"
TIMESTAMP_HEADER: Final = "webhook-timestamp"
SIGNATURE_HEADER: Final = "webhook-signature"
SECRET_PREFIX: Final = "whsec_"  # noqa: S105  # a prefix, not a secret
_VERSION: Final = "v1,"
_SECONDS: Final = re.compile(r"\A[0-9]{1,12}\Z")


def key_of(secret: str) -> bytes:
    """Returns the key in a secret ``whsec_<base64>``. Raises ValueError for any other text."""
    return base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)


def verified_id(
    body: bytes,
    headers: Mapping[str, str],
    keys: Sequence[bytes],
    tolerance_s: int,
    now: datetime,
) -> str:
    """Returns the message's ID, if one of the keys signed it, its time and the body.

    Raises SignatureError, also for a time more than ``tolerance_s`` from ``now``. Its text contains
    neither a secret nor a signature.
    """
    message_id = headers.get(ID_HEADER, "")
    timestamp = headers.get(TIMESTAMP_HEADER, "")
    if not message_id:
        raise SignatureError(f"{ID_HEADER} is missing")
    if not _SECONDS.match(timestamp):
        raise SignatureError(f"{TIMESTAMP_HEADER} is missing, or is not a time in seconds")
    if abs(now.timestamp() - int(timestamp)) > tolerance_s:
        raise SignatureError(f"{TIMESTAMP_HEADER} is more than {tolerance_s} s from now")
    signed = f"{message_id}.{timestamp}.".encode("utf-8", "replace") + body
    given = [
        part.removeprefix(_VERSION).encode("utf-8", "replace")
        for part in headers.get(SIGNATURE_HEADER, "").split(" ")
        if part.startswith(_VERSION)
    ]
    for key in keys:
        expected = base64.b64encode(hmac.new(key, signed, sha256).digest())
        if any(hmac.compare_digest(expected, each) for each in given):
            return message_id
    raise SignatureError(f"{SIGNATURE_HEADER} has no valid signature by a configured secret")
