"""Derives every identifier. None is random, so a retry has the same ones.

A payment ID is a hash of tenant and Idempotency-Key, with four check characters bound to the
tenant. So any replica derives the same payment ID for a retry, and refuses a mistyped or foreign
one, both without a look-up.
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
#: The characters of a payment ID after its prefix.
ID_CHARS: Final = _CORE_CHARS + _CHECK_CHARS
PAYMENT_ID_PATTERN: Final = rf"^pay_[a-z2-7]{{{ID_CHARS}}}$"
OPERATION_ID_PATTERN: Final = rf"^op_[a-z2-7]{{{ID_CHARS}}}_[a-z2-7]{{{_CORE_CHARS}}}$"
_OPERATION_ID: Final = re.compile(OPERATION_ID_PATTERN)
_PAYMENT_ID: Final = re.compile(PAYMENT_ID_PATTERN)
_REFUND_ID: Final = re.compile(rf"ref_[a-z2-7]{{{_CORE_CHARS}}}")


def _digest(*parts: str) -> str:
    """Returns 128 bits of SHA-256 over length-prefixed parts, as 26 lower-case characters."""
    joined = b"".join(len(p.encode()).to_bytes(4, "big") + p.encode() for p in parts)
    return base64.b32encode(hashlib.sha256(joined).digest()[:16]).decode().rstrip("=").lower()


def payment_id(tenant: str, idempotency_key: str) -> str:
    """Returns the ID of the payment that this tenant's Idempotency-Key names."""
    core = _digest("payment", tenant, idempotency_key)
    return f"pay_{core}{_digest('check', tenant, core)[:_CHECK_CHARS]}"


def is_payment_id(text: str) -> bool:
    """Returns whether the text has the form of a payment ID."""
    return _PAYMENT_ID.fullmatch(text) is not None


def belongs_to(tenant: str, identifier: str) -> bool:
    """Returns whether a payment ID may be this tenant's. Only the stored row is authoritative."""
    body = identifier.removeprefix("pay_")
    core, check = body[:_CORE_CHARS], body[_CORE_CHARS:]
    return identifier.startswith("pay_") and check == _digest("check", tenant, core)[:_CHECK_CHARS]


def operation_id(tenant: str, payment: str, operation: str, idempotency_key: str) -> str:
    """Returns the ID of one operation that a tenant asked for. Every retry has the same one.

    It contains the tenant, and so does the command's event ID. So a command of another tenant,
    which is rejected, never makes the owner's command a duplicate.
    """
    return f"op_{_digest('operation', tenant, payment, operation, idempotency_key)}"


def fingerprint(body: Mapping[str, Any]) -> str:
    """Returns a digest of a request's body that ignores key order and white space."""
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return _digest("body", canonical)


def command_event_id(operation: str, body_fingerprint: str) -> str:
    """Returns the event ID of a command: one per operation and body.

    It contains the body, so that the processor records a second body under the same key as a
    rejected input of its own, and does not drop it as a duplicate.
    """
    return f"cmd_{_digest('command', operation, body_fingerprint)}"


def public_operation_id(payment: str, event_id: str) -> str:
    """Returns the ID under which clients read an operation: payment and command in one.

    ``event_id`` is the command's. So a second body under a known key, which is rejected, is an
    operation of its own.
    """
    return f"op_{payment.removeprefix('pay_')}_{event_id.removeprefix('cmd_')}"


def operation_parts(identifier: str) -> tuple[str, str] | None:
    """Returns the payment ID and the command's event ID of ``public_operation_id``, if it is one.

    Whether there is such an operation, and whose it is, it does not say.
    """
    if _OPERATION_ID.fullmatch(identifier) is None:
        return None
    _, payment, command = identifier.split("_")
    return f"pay_{payment}", f"cmd_{command}"


def refund_id(payment: str, idempotency_key: str) -> str:
    """Returns the ID of the refund that this Idempotency-Key names under this payment.

    The tenant need not be part of it: only the payment's own tenant can refund it.
    """
    return f"ref_{_digest('refund', payment, idempotency_key)}"


def is_refund_id(text: str) -> bool:
    """Returns whether the text has the form of a refund ID."""
    return _REFUND_ID.fullmatch(text) is not None


def provider_made_id(prefix: str, provider: str, object_id: str) -> str:
    """Returns our ID for an object that was made at the provider: a refund or a dispute."""
    return f"{prefix}_{_digest(prefix, provider, object_id)}"


def result_event_id(call_key: str) -> str:
    """Returns the event ID of a provider call's result. All attempts at a call share it."""
    return f"res_{_digest('result', call_key)}"


def release_event_id(payment: str, quarantined_event_id: str, quarantined_at: datetime) -> str:
    """The event ID of a quarantine's release: the same however often an operator asks for it."""
    since = quarantined_at.astimezone(UTC).isoformat(timespec="microseconds")
    return f"rel_{_digest('release', payment, quarantined_event_id, since)}"
