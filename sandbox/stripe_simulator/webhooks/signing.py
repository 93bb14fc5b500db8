"""Stripe's webhook signature. Source: https://docs.stripe.com/webhooks/signatures ."""

import hmac
from hashlib import sha256


def signature_header(body: bytes, secret: str, timestamp: int) -> str:
    """The ``Stripe-Signature`` of a body, signed at a time in seconds since the Unix epoch."""
    signed = b"%d.%s" % (timestamp, body)
    return f"t={timestamp},v1={hmac.new(secret.encode(), signed, sha256).hexdigest()}"
