"""How every identifier is derived. Nothing here is drawn by chance, so a retry meets itself.

A payment ID is a hash of (tenant, Idempotency-Key) plus four check characters bound to the tenant:
any replica finds the same payment for a client's retry without a look-up, and refuses a mistyped or
foreign ID without one too.
"""

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

_CORE_CHARS: Final = 26  # 128 bits in base32
_CHECK_CHARS: Final = 4
PAYMENT_ID_PATTERN: Final = rf"^pay_[a-z2-7]{{{_CORE_CHARS + _CHECK_CHARS}}}$"
_PAYMENT_ID: Final = re.compile(PAYMENT_ID_PATTERN)
_REFUND_ID: Final = re.compile(rf"ref_[a-z2-7]{{{_CORE_CHARS}}}")


def _digest(*parts: str) -> str:
    """128 bits of SHA-256 over length-prefixed parts, as 26 lower-case base32 characters."""
    joined = b"".join(len(p.encode()).to_bytes(4, "big") + p.encode() for p in parts)
    return base64.b32encode(hashlib.sha256(joined).digest()[:16]).decode().rstrip("=").lower()


def payment_id(tenant: str, idempotency_key: str) -> str:
    """The payment that this tenant's Idempotency-Key names, now and for ever."""
    core = _digest("payment", tenant, idempotency_key)
    return f"pay_{core}{_digest('check', tenant, core)[:_CHECK_CHARS]}"


def is_payment_id(text: str) -> bool:
    """Whether this has the form of a payment ID."""
    return _PAYMENT_ID.fullmatch(text) is not None


def belongs_to(tenant: str, identifier: str) -> bool:
    """Whether a payment ID could be this tenant's. A filter, not the authority: the row is."""
    body = identifier.removeprefix("pay_")
    core, check = body[:_CORE_CHARS], body[_CORE_CHARS:]
    return identifier.startswith("pay_") and check == _digest("check", tenant, core)[:_CHECK_CHARS]


def operation_id(tenant: str, payment: str, operation: str, idempotency_key: str) -> str:
    """One operation a tenant asked for: the same for every retry of it.

    The tenant is part of it, and so of the command's event ID: whatever another tenant asks of
    this payment, in vain, never makes the owner's own command a duplicate.
    """
    return f"op_{_digest('operation', tenant, payment, operation, idempotency_key)}"


def fingerprint(body: Mapping[str, Any]) -> str:
    """What a request asked for, independent of key order and white space."""
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return _digest("body", canonical)


def command_event_id(operation: str, body_fingerprint: str) -> str:
    """The event ID of a command: one per operation, and so per tenant, and body.

    The body is part of it so that a second body under the same key is an input of its own, which
    the processor records as rejected, instead of vanishing as a duplicate.
    """
    return f"cmd_{_digest('command', operation, body_fingerprint)}"


def refund_id(payment: str, idempotency_key: str) -> str:
    """The refund that this Idempotency-Key names under this payment.

    Only a refund of the payment's own tenant comes to be, so the payment stands for the tenant.
    """
    return f"ref_{_digest('refund', payment, idempotency_key)}"


def is_refund_id(text: str) -> bool:
    """Whether this has the form of a refund ID."""
    return _REFUND_ID.fullmatch(text) is not None


def provider_made_id(prefix: str, provider: str, object_id: str) -> str:
    """Our ID for something the provider made without us: a refund made there, a dispute."""
    return f"{prefix}_{_digest(prefix, provider, object_id)}"


def result_event_id(call_key: str) -> str:
    """The event ID of a provider call's result: one per call, however often it was tried."""
    return f"res_{_digest('result', call_key)}"


def release_event_id(payment: str, quarantined_event_id: str, quarantined_at: datetime) -> str:
    """The event ID of a quarantine's release: the same however often an operator asks for it."""
    since = quarantined_at.astimezone(UTC).isoformat(timespec="microseconds")
    return f"rel_{_digest('release', payment, quarantined_event_id, since)}"
