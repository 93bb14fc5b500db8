"""Builds records as the log has them, and provides a clock and a decoder for tests."""

import json
import uuid
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from decisions.decode import Decoder
from domain.call_key import CallKey
from domain.calls import ProviderCall
from ports.records import ConsumedRecord, DecodedInput, RecordOffset
from postgres.ops.operator import Quarantine
from processor.ops.release import release_record
from providers.stripe.webhooks import StripeTranslator
from schemas import headers, identity
from schemas.topics import PAYMENT_COMMANDS, PROVIDER_RESULTS, PROVIDER_WEBHOOKS
from tests import accounts

NOW: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
TENANT: Final = "shop"
PROVIDER: Final = "stripe"
AMOUNT: Final = 1000
DECODER: Final = Decoder({PROVIDER: StripeTranslator(accounts.STRIPE)})


def payment(name: str = "") -> str:
    """The ID of the payment with this name; without a name, a new ID."""
    return identity.payment_id(TENANT, name or uuid.uuid4().hex)


def object_of(payment_id: str) -> str:
    """The provider's object of a payment."""
    return f"pi_{payment_id[4:16]}"


def received(record: ConsumedRecord) -> DecodedInput:
    """Decodes a record. Fails if it can't be decoded."""
    decoded = DECODER.decode(record)
    assert isinstance(decoded, DecodedInput), decoded.error
    return decoded


@dataclass
class Clock:
    """Returns the same time until a test moves it."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        """The time."""
        return self.now

    def forward(self, seconds: float) -> None:
        """Advances the time."""
        self.now += timedelta(seconds=seconds)


@dataclass
class Log:
    """One partition of each of the processor's topics; records get its next offset."""

    partition: int = 0
    _ends: Counter[str] = field(default_factory=Counter)

    def append(self, topic: str, key: bytes | None, value: bytes, **named: str) -> ConsumedRecord:
        """Any record; header names are written with underscores."""
        position = RecordOffset(topic, self.partition, self._ends[topic])
        self._ends[topic] += 1
        texts = {name.replace("_", "-"): text for name, text in named.items()}
        return ConsumedRecord(
            position=position,
            key=key,
            value=value,
            headers=texts,
            timestamp_ms=int(NOW.timestamp() * 1000),
        )

    def again(self, record: ConsumedRecord) -> ConsumedRecord:
        """Appends another record with the same content."""
        named = {name.replace("-", "_"): text for name, text in record.headers.items()}
        return self.append(record.position.topic, record.key, record.value, **named)

    def command(self, payment_id: str, kind: str, **changes: Any) -> ConsumedRecord:
        """A client's command."""
        return self._json(PAYMENT_COMMANDS, payment_id, command_body(payment_id, kind, **changes))

    def release(self, payment_id: str, since: datetime = NOW) -> ConsumedRecord:
        """An operator's release of the payment's quarantine."""
        record = release_record(
            Quarantine(
                payment_id=payment_id, event_id="evt_bad", error="a defect", quarantined_at=since
            ),
            NOW,
        )
        return self.append(record.topic, record.key, record.value)

    def create(self, payment_id: str, **changes: Any) -> ConsumedRecord:
        """The command that begins a payment."""
        return self.command(payment_id, "create", **changes)

    def webhook(
        self, payment_id: str, status: str, event_id: str = "", **changes: Any
    ) -> ConsumedRecord:
        """A webhook that reports this status of the payment's object."""
        event_id = event_id or f"evt_{payment_id[4:16]}_{status}"
        return self.event(payment_id, event_body(payment_id, status, event_id, **changes))

    def event(self, payment_id: str, body: dict[str, Any]) -> ConsumedRecord:
        """A webhook with this event."""
        named = {
            headers.EVENT_ID: body["id"],
            headers.PROVIDER: PROVIDER,
            headers.RECEIVED_AT: NOW.isoformat(),
            headers.OBJECT_ID: object_of(payment_id),
        }
        named = {name.replace("-", "_"): text for name, text in named.items()}
        return self.append(
            PROVIDER_WEBHOOKS, payment_id.encode(), json.dumps(body).encode(), **named
        )

    def refund_event(
        self, payment_id: str, ref: str, status: str, amount: int, **changes: Any
    ) -> ConsumedRecord:
        """A webhook that reports this status of a refund."""
        refund = {
            "id": ref,
            "status": status,
            "amount": amount,
            "currency": "eur",
            "payment_intent": object_of(payment_id),
            **changes,
        }
        body = {
            "id": f"evt_{payment_id[4:16]}_{ref}_{status}",
            "type": "refund.updated",
            "created": int(NOW.timestamp()),
            "livemode": False,
            "data": {"object": refund},
        }
        return self.event(payment_id, body)

    def result(self, payment_id: str, operation: str = "create", **changes: Any) -> ConsumedRecord:
        """The result of a provider call: an acknowledgement, unless changed."""
        return self._json(
            PROVIDER_RESULTS, payment_id, result_body(payment_id, operation, **changes)
        )

    def _json(self, topic: str, payment_id: str, body: dict[str, Any]) -> ConsumedRecord:
        return self.append(topic, payment_id.encode(), json.dumps(body).encode())


def command_body(payment_id: str, kind: str, **changes: Any) -> dict[str, Any]:
    """A command's JSON, with the fields of its kind."""
    operation_id = identity.operation_id(changes.get("tenant", TENANT), payment_id, kind, "key")
    own: dict[str, dict[str, Any]] = {
        "create": {
            "provider": PROVIDER,
            "amount": AMOUNT,
            "currency": "EUR",
            "payment_method": "card_1",
            "capture_method": "automatic",
            "expires_at": (NOW + timedelta(days=1)).isoformat(),
        },
        "confirm": {"payment_method": "card_2"},
        "capture": {"amount": "all"},
        "refund": {"refund_id": identity.refund_id(payment_id, "key"), "amount": "all"},
    }
    return {
        "type": kind,
        "event_id": identity.command_event_id(operation_id, "fp"),
        "payment_id": payment_id,
        "tenant": TENANT,
        "operation_id": operation_id,
        "fingerprint": "fp",
        "received_at": NOW.isoformat(),
        **own.get(kind, {}),
        **changes,
    }


def event_body(payment_id: str, status: str, event_id: str, **changes: Any) -> dict[str, Any]:
    """A Stripe event with this status of the payment's object, caused by our own create."""
    intent = {
        "id": object_of(payment_id),
        "status": status,
        "amount": AMOUNT,
        "amount_capturable": AMOUNT if status == "requires_capture" else 0,
        "amount_received": AMOUNT if status == "succeeded" else 0,
        "currency": "eur",
        **changes,
    }
    kind = f"payment_intent.{status}" if status in {"succeeded", "canceled", "processing"} else ""
    return {
        "id": event_id,
        "type": kind or "payment_intent.created",
        "created": int(NOW.timestamp()),
        "livemode": False,
        "data": {"object": intent},
        "request": {"id": "req_1", "idempotency_key": str(CallKey.create(payment_id))},
    }


def result_body(payment_id: str, operation: str, **changes: Any) -> dict[str, Any]:
    """A result's JSON."""
    call_key = f"{payment_id}:{operation}"
    return {
        "event_id": identity.result_event_id(call_key),
        "payment_id": payment_id,
        "provider": PROVIDER,
        "call_key": call_key,
        "operation": operation,
        "outcome": "acknowledged",
        "object_id": object_of(payment_id),
        "received_at": NOW.isoformat(),
        **changes,
    }


def create_call(payment_id: str) -> ProviderCall:
    """The call that makes a payment's object at the provider."""
    key = CallKey.create(payment_id)
    return ProviderCall(
        key=str(key),
        operation=key.operation,
        payment_id=payment_id,
        provider=PROVIDER,
        amount=AMOUNT,
    )
