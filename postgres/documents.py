"""The domain's payment and calls as JSON documents, and back."""

from typing import Final

import msgspec

from domain.calls import ProviderCall
from domain.facts.disputes import Funds
from domain.payment import Payment
from domain.view import Snapshot
from ports.batch import OperationRow
from ports.errors import SnapshotTooLargeError
from schemas.topics import SNAPSHOT_BYTES_MAX

_ENCODER: Final = msgspec.json.Encoder(order="deterministic")
_PAYMENT: Final = msgspec.json.Decoder(Payment)
_CALL: Final = msgspec.json.Decoder(ProviderCall)


def encode_payment(payment: Payment) -> str:
    """Encodes the whole payment, for ``payments.document``."""
    return _ENCODER.encode(payment).decode()


def decode_payment(document: bytes | str) -> Payment:
    """Decodes a ``payments.document``. Raises msgspec.ValidationError."""
    return _PAYMENT.decode(document)


def encode_operation(row: OperationRow) -> bytes:
    """Encodes an operation, for ``payment-operations`` and ``operations.document``."""
    change = msgspec.structs.asdict(row.change)
    del change["event_id"]
    return _ENCODER.encode({"id": row.id, "payment_id": row.payment_id, **change})


def encode_call(call: ProviderCall) -> str:
    """Encodes a call, for ``provider_calls.request``."""
    return _ENCODER.encode(call).decode()


def decode_call(request: bytes | str) -> ProviderCall:
    """Decodes a ``provider_calls.request``. Raises msgspec.ValidationError."""
    return _CALL.decode(request)


def encode_funds(funds: tuple[Funds, ...]) -> str:
    """Encodes what moved in a dispute, for ``disputes.funds``."""
    return _ENCODER.encode(funds).decode()


def encode_publishable(snapshot: Snapshot) -> bytes:
    """Like ``encode_snapshot``. Raises SnapshotTooLargeError: it could never be published."""
    value = encode_snapshot(snapshot)
    if len(value) > SNAPSHOT_BYTES_MAX:
        raise SnapshotTooLargeError(
            f"version {snapshot.version} of {snapshot.id} has {len(value)} bytes, "
            f"a record of payment-state at most {SNAPSHOT_BYTES_MAX}"
        )
    return value


def encode_snapshot(snapshot: Snapshot) -> bytes:
    """Encodes a snapshot, for ``payment-state`` and ``payments.snapshot``."""
    return _ENCODER.encode(snapshot)
