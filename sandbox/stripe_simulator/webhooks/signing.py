"""Stripe's webhook signature. Source: https://docs.stripe.com/webhooks/signatures ."""

import hmac
from collections.abc import Sequence
from hashlib import sha256


def signature_header(body: bytes, secret: str, timestamp: int) -> str:
    """The ``Stripe-Signature`` of a body, signed at a time in seconds since the Unix epoch."""
    return signed_with_all(body, [secret], timestamp)


def signed_with_all(body: bytes, secrets: Sequence[str], timestamp: int) -> str:
    """As ``signature_header``, with several secrets, as while one replaces another."""
    signed = b"%d.%s" % (timestamp, body)
    signatures = [hmac.new(each.encode(), signed, sha256).hexdigest() for each in secrets]
    return ",".join([f"t={timestamp}", *(f"v1={each}" for each in signatures)])
