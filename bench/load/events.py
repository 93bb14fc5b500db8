"""The records of one payment: its create command, and the webhooks of its course."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import msgspec
from stripe import api_version

from bench.load.courses import CHANGES, Course, Facts, first_objects
from domain.call_key import CallKey
from ingress.command_builders import create, identify_create
from sandbox.stripe_simulator.chance import Chance
from sandbox.stripe_simulator.storage.types import JsonObject
from schemas.commands import CreatePayment
from schemas.http import CreateRequest

CALL_S: Final = 1.0  # an intent's events before this echo the key of the call that created it


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivery of one event."""

    event_id: str
    payment_id: str
    object_id: str
    body: bytes


def create_command(
    tenant: str, key: str, course: Course, amount: int, received_at: datetime
) -> CreatePayment:
    """The command the ingress would publish for this request."""
    request = CreateRequest(
        amount=amount,
        currency="EUR",
        payment_method="pm_card_visa",
        capture_method=course.capture_method,
        description=f"Order {key}",
        metadata={"order": key, "channel": "web"},
    )
    operation = identify_create(tenant, key, request)
    return create(operation, request, received_at, provider="stripe", expiry=timedelta(days=1))


def facts_of(
    ids: Chance, command: CreatePayment, course: Course, number: int, created: int
) -> Facts:
    """The data of the payment's objects; ``created`` is in seconds since the epoch."""
    return Facts(
        amount=command.amount,
        intent=ids.object_id("pi_3", number),
        charge=ids.object_id("ch_3", number),
        refund=ids.object_id("re_3", number),
        payment_method=ids.object_id("pm_1", number),
        created=created,
        cancellation_reason=course.cancellation_reason,
    )


def deliveries(
    ids: Chance, command: CreatePayment, course: Course, number: int, created: int
) -> Iterable[Delivery]:
    """The first delivery of each event of the course, in the order of its steps."""
    facts = facts_of(ids, command, course, number, created)
    metadata = {**command.metadata, "payment_id": command.payment_id}
    given = {"capture_method": command.capture_method, "description": command.description}
    objects = first_objects(facts, metadata, **given)
    for index, (after_s, kind) in enumerate(course.steps):
        about = objects[kind.split(".", maxsplit=1)[0]]
        about.update(CHANGES[kind](facts))
        event_id = ids.object_id("evt_3", number, index)
        key = _key(command.payment_id, course, kind, after_s)
        body = event(event_id, kind, int(created + after_s), about, key)
        yield Delivery(event_id, command.payment_id, facts.intent, body)


def _key(payment_id: str, course: Course, kind: str, after_s: float) -> str | None:
    """The key of our call that caused an event; None where none did."""
    if kind == "payment_intent.canceled" and course.status == "FAILED":
        return str(CallKey.cancel_exhausted(payment_id))
    if kind.startswith("payment_intent.") and after_s < CALL_S:
        return str(CallKey.create(payment_id))
    return None


def event(
    event_id: str, kind: str, created: int, about: JsonObject, key: str | None = None
) -> bytes:
    """The body of an event; ``key`` is the idempotency key of the request that caused it."""
    found = {
        "id": event_id,
        "object": "event",
        "api_version": api_version,
        "created": created,
        "data": {"object": about},
        "livemode": False,
        "pending_webhooks": 1,
        "request": {
            "id": f"req_{event_id[5:19]}" if key else None,
            "idempotency_key": key,
        },
        "type": kind,
    }
    return msgspec.json.format(msgspec.json.encode(found), indent=2)
