"""Stored documents, decoded: the payments, and how clients see them."""

from collections.abc import Mapping

import msgspec
from msgspec import Struct

from domain.payment import Payment
from domain.view import Snapshot, snapshot
from postgres.documents import decode_payment


class Decoded(Struct, frozen=True):
    """A payment, and its view."""

    payment: Payment
    view: Snapshot


class Unreadable(Struct, frozen=True):
    """A document that is none, and why."""

    error: str


def decode(documents: Mapping[str, str]) -> dict[str, Decoded | Unreadable]:
    """Decodes documents, by payment ID."""
    found: dict[str, Decoded | Unreadable] = {}
    for payment_id, document in documents.items():
        try:
            payment = decode_payment(document)
            found[payment_id] = Decoded(payment, snapshot(payment))
        except msgspec.MsgspecError as error:
            found[payment_id] = Unreadable(str(error))
    return found
