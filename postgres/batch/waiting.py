"""The records that wait for a payment, as inputs again. Pure, but for what ``decode`` asks."""

from collections.abc import Iterable, Mapping
from typing import Any

from domain.inputs import Create
from domain.payment import Payment
from ports.records import (
    ConsumedRecord,
    DeadLetter,
    Decode,
    DecodedInput,
    RecordOffset,
    unread_of,
    without_effect,
)
from schemas.headers import PROVIDER


def accounts_of(payments: Iterable[Payment], batch: Iterable[DecodedInput]) -> Mapping[str, str]:
    """Returns the account of each payment that there is, or that the batch creates."""
    created = {r.payment_id: r.input.body for r in batch if isinstance(r.input.body, Create)}
    return {
        **{payment_id: create.provider for payment_id, create in created.items()},
        **{payment.id: payment.provider for payment in payments},
    }


def decode_waiting(
    rows: Iterable[tuple[Any, ...]],
    decode: Decode,
    accounts: Mapping[str, str],
    unreadable: dict[str, str],
) -> dict[str, tuple[DecodedInput, ...]]:
    """Returns the inputs of waiting rows, by payment ID.

    A payment with one that can't be decoded any more goes to ``unreadable``, with the reason. Not
    so if it came for another account than the payment's: it has no effect, whatever it says. Nor
    if its account was not known when it came: it was never read, and would have been refused then.

    Args:
        rows: of LOAD_WAITING.
        decode: decodes a record.
        accounts: the payments' accounts, as far as there are payments.
        unreadable: payments of which something can't be read.
    """
    parked: dict[str, list[DecodedInput]] = {}
    for _, payment_id, topic, partition, offset, headers, value, kind in rows:
        position = RecordOffset(topic, partition, offset)
        record = ConsumedRecord(
            position=position,
            key=payment_id.encode(),
            value=bytes(value),
            headers=headers or {},
            timestamp_ms=0,
        )
        received = decode(record)
        if isinstance(received, DeadLetter):
            account = record.headers.get(PROVIDER)
            is_other = account not in {None, accounts.get(payment_id, account)}
            if account is None or not (is_other or kind == unread_of(account)):
                unreadable[payment_id] = f"{position} can't be decoded any more: {received.error}"
                continue
            received = without_effect(record, payment_id, account, received.error)
        parked.setdefault(payment_id, []).append(received)
    return {payment_id: tuple(waiting) for payment_id, waiting in parked.items()}
