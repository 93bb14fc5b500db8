"""Examples of all messages on topics, and published states of payments."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from msgspec.structs import replace

from domain.payment import Payment
from domain.view import snapshot
from postgres.documents import encode_snapshot
from schemas import identity
from schemas.commands import (
    CancelPayment,
    CapturePayment,
    Command,
    ConfirmPayment,
    CreatePayment,
    RefundPayment,
    ReleasePayment,
)
from schemas.results import ProviderResult, Refusal
from tests.domain.histories.history import History
from tests.domain.histories.replay import Replay
from tools.generate import DIRECTORY

PAYMENT: Final = identity.payment_id("shop", "order-1")
AT: Final = datetime(2026, 1, 1, 12, 30, 0, 123_456, UTC)

_COMMON: Final[dict[str, Any]] = {
    "event_id": "cmd_1",
    "payment_id": PAYMENT,
    "tenant": "shop",
    "operation_id": "op_1",
    "fingerprint": "fp_1",
    "received_at": AT,
}
COMMANDS: Final[tuple[Command, ...]] = (
    CreatePayment(
        **_COMMON,
        provider="stripe",
        amount=1999,
        currency="EUR",
        payment_method="pm_card_visa",
        capture_method="automatic",
        expires_at=AT,
    ),
    CreatePayment(
        **_COMMON,
        provider="stripe",
        amount=99_999_999,
        currency="JPY",
        payment_method="pm_card_visa",
        capture_method="manual",
        max_attempts=10,
        return_url="https://shop.example/back",
        description="Straße № 7",
        metadata={"order": "7", "empty": ""},
        expires_at=AT,
    ),
    ConfirmPayment(**_COMMON, payment_method="pm_card_mastercard"),
    CapturePayment(**_COMMON, amount="all"),
    CapturePayment(**_COMMON, amount=1),
    CancelPayment(**_COMMON),
    CancelPayment(**_COMMON, cause="expired"),
    RefundPayment(**_COMMON, refund_id="ref_1", amount="all"),
    RefundPayment(**_COMMON, refund_id="ref_1", amount=700, reason="duplicate"),
)
RELEASE: Final = ReleasePayment(
    event_id="rel_1",
    payment_id=PAYMENT,
    quarantined_event_id="evt_1",
    quarantined_at=AT,
    received_at=AT,
)
_RESULT: Final[dict[str, Any]] = {
    "event_id": "res_1",
    "payment_id": PAYMENT,
    "provider": "stripe",
    "call_key": f"{PAYMENT}:create",
    "operation": "create",
    "received_at": AT,
}
RESULTS: Final = (
    ProviderResult(**_RESULT, outcome="acknowledged", object_id="pi_1"),
    ProviderResult(**_RESULT, outcome="refused", refusal=Refusal(code="no", message="It is not.")),
)


def published_schema(topic: str) -> Any:
    """Returns the JSON Schema file of a topic's values."""
    return json.loads((DIRECTORY / f"{topic}.schema.json").read_text())


def published(payment: Payment) -> bytes:
    """Returns the ``payment-state`` value of this payment, with a real payment ID."""
    return encode_snapshot(snapshot(replace(payment, id=PAYMENT)))


def states_of(history: History) -> Iterator[bytes]:
    """Yields the published state of a payment after each record of its history."""
    replay = Replay()
    for record in history.inputs:
        replay.deliver(record)
        if replay.payment is not None:
            yield published(replay.payment)
