"""The workload of every benchmark: create commands and the webhooks that follow them.

A seed determines the work; the name only makes its IDs unique, so that two benchmarks can do the
same work on one Kafka and one Postgres.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Final

import msgspec
from stripe import api_version

from bench.load.courses import CHANGES, COURSES, Course, Facts, first_objects
from domain.call_key import CallKey
from ingress.command_builders import create, identify_create
from sandbox.stripe_simulator.chance import Chance
from sandbox.stripe_simulator.storage.types import JsonObject
from schemas.commands import CreatePayment
from schemas.http import CreateRequest

TENANT: Final = "bench"
DUPLICATES: Final = 0.10  # of the events, delivered once more
LATE: Final = 0.14  # of the events with a successor; a tenth of all events
GAP_S: Final = 0.01  # between the creations of two payments
CALL_S: Final = 1.0  # an intent's events before this echo the key of the call that created it
BEGIN: Final = datetime(2026, 1, 1, tzinfo=UTC)
_COURSES: Final = tuple(course for course in COURSES for _ in range(course.weight))


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivery of one event."""

    event_id: str
    payment_id: str
    object_id: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Ending:
    """A payment's expected end; amounts in minor units."""

    status: str
    captured: int
    refunded: int


@dataclass(frozen=True)
class Workload:
    """The commands and deliveries, in order, and the payments' expected ends."""

    commands: tuple[CreatePayment, ...]
    deliveries: tuple[Delivery, ...]
    endings: Mapping[str, Ending]
    #: The number of events delivered after a later event of the same payment.
    late: int

    @property
    def events(self) -> frozenset[str]:
        """Every event ID delivered; some more than once."""
        return frozenset(delivery.event_id for delivery in self.deliveries)

    def mix(self) -> dict[str, float]:
        """The composition of the workload, for the report."""
        events = len(self.events)
        return {
            "payments": len(self.commands),
            "deliveries": len(self.deliveries),
            "events": events,
            "events_per_payment": round(1 + events / len(self.commands), 2),
            "duplicates": round(len(self.deliveries) / events - 1, 3),
            "out_of_order": round(self.late / events, 3),
            "body_bytes_median": median(len(d.body) for d in self.deliveries),
        }


@dataclass(frozen=True, slots=True)
class _Planned:
    at: float
    number: int
    delivery: Delivery


def generate(seed: int, name: str, payments: int) -> Workload:
    """Generates this many payments. Equal arguments make equal workloads, byte by byte."""
    draw, ids = Chance(str(seed)), Chance(f"{seed}/{name}")
    commands: list[CreatePayment] = []
    planned: list[_Planned] = []
    endings: dict[str, Ending] = {}
    late = 0
    for number in range(payments):
        course = _COURSES[draw.whole(0, len(_COURSES) - 1, "course", number)]
        amount = draw.whole(100, 50_000, "amount", number)
        begin_s = number * GAP_S
        command = _command(f"{name}-{seed}-{number}", course, amount, begin_s)
        commands.append(command)
        endings[command.payment_id] = Ending(
            course.status, amount * course.captured, amount * course.refunded
        )
        events = _events(ids, command, course, number, begin_s)
        times = _times(draw, course, number)
        late += sum(at > min(times[i:]) for i, at in enumerate(times))
        for index, (delivery, at) in enumerate(zip(events, times, strict=True)):
            planned.append(_Planned(begin_s + at, number, delivery))
            if draw.happens(DUPLICATES, "duplicate", number, index):
                again = at + draw.between((0.2, 8.0), "again", number, index)
                planned.append(_Planned(begin_s + again, number, delivery))
    planned.sort(key=lambda each: (each.at, each.number, each.delivery.event_id))
    return Workload(tuple(commands), tuple(each.delivery for each in planned), endings, late)


def _command(key: str, course: Course, amount: int, begin_s: float) -> CreatePayment:
    """The command the ingress would publish for this request."""
    request = CreateRequest(
        amount=amount,
        currency="EUR",
        payment_method="pm_card_visa",
        capture_method=course.capture_method,
        description=f"Order {key}",
        metadata={"order": key, "channel": "web"},
    )
    received_at = BEGIN + timedelta(seconds=begin_s)
    operation = identify_create(TENANT, key, request)
    return create(operation, request, received_at, provider="stripe", expiry=timedelta(days=1))


def _times(draw: Chance, course: Course, number: int) -> list[float]:
    """The time of each event's first delivery. Some come just after their successor."""
    due = [at for at, _ in course.steps]
    following = [*due[1:], None]
    return [
        after + 0.05
        if after is not None and draw.happens(LATE, "late", number, index)
        else at
        for index, (at, after) in enumerate(zip(due, following, strict=True))
    ]  # fmt: skip


def _events(
    ids: Chance, command: CreatePayment, course: Course, number: int, begin_s: float
) -> Iterable[Delivery]:
    created = int(BEGIN.timestamp() + begin_s)
    facts = Facts(
        amount=command.amount,
        intent=ids.object_id("pi_3", number),
        charge=ids.object_id("ch_3", number),
        refund=ids.object_id("re_3", number),
        payment_method=ids.object_id("pm_1", number),
        created=created,
        cancellation_reason=course.cancellation_reason,
    )
    metadata = {**command.metadata, "payment_id": command.payment_id}
    given = {"capture_method": command.capture_method, "description": command.description}
    objects = first_objects(facts, metadata, **given)
    for index, (after_s, kind) in enumerate(course.steps):
        about = objects[kind.split(".", maxsplit=1)[0]]
        about.update(CHANGES[kind](facts))
        event_id = ids.object_id("evt_3", number, index)
        is_caused_by_create = kind.startswith("payment_intent.") and after_s < CALL_S
        key = str(CallKey.create(command.payment_id)) if is_caused_by_create else None
        event = _event(event_id, kind, int(created + after_s), about, key)
        body = msgspec.json.format(msgspec.json.encode(event), indent=2)
        yield Delivery(event_id, command.payment_id, facts.intent, body)


def _event(
    event_id: str, kind: str, created: int, about: JsonObject, key: str | None
) -> JsonObject:
    return {
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
