"""The workload of every benchmark: create commands and the webhooks that follow them.

A seed determines the work; the name only makes its IDs unique, so that two benchmarks can do the
same work on one Kafka and one Postgres.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Final

from bench.load.courses import COURSES, Course
from bench.load.events import Delivery, create_command, deliveries
from sandbox.stripe_simulator.chance import Chance
from schemas.commands import CreatePayment

TENANT: Final = "bench"
DUPLICATES: Final = 0.10  # of the events, delivered once more
LATE: Final = 0.14  # of the events with a successor; a tenth of all events
GAP_S: Final = 0.01  # between the creations of two payments
BEGIN: Final = datetime(2026, 1, 1, tzinfo=UTC)
_COURSES: Final = tuple(course for course in COURSES for _ in range(course.weight))


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
        received_at = BEGIN + timedelta(seconds=begin_s)
        command = create_command(TENANT, f"{name}-{seed}-{number}", course, amount, received_at)
        commands.append(command)
        endings[command.payment_id] = Ending(
            course.status, amount * course.captured, amount * course.refunded
        )
        events = deliveries(ids, command, course, number, int(BEGIN.timestamp() + begin_s))
        times = _times(draw, course, number)
        late += sum(at > min(times[i:]) for i, at in enumerate(times))
        for index, (delivery, at) in enumerate(zip(events, times, strict=True)):
            planned.append(_Planned(begin_s + at, number, delivery))
            if draw.happens(DUPLICATES, "duplicate", number, index):
                again = at + draw.between((0.2, 8.0), "again", number, index)
                planned.append(_Planned(begin_s + again, number, delivery))
    planned.sort(key=lambda each: (each.at, each.number, each.delivery.event_id))
    return Workload(tuple(commands), tuple(each.delivery for each in planned), endings, late)


def _times(draw: Chance, course: Course, number: int) -> list[float]:
    """The time of each event's first delivery. Some come just after their successor.

    What makes us cancel never does: our cancel is reported after we have made it.
    """
    following = [*course.steps[1:], None]
    return [
        after[0] + 0.05
        if after is not None
        and not (course.status == "FAILED" and after[1] == "payment_intent.canceled")
        and draw.happens(LATE, "late", number, index)
        else at
        for index, ((at, _), after) in enumerate(zip(course.steps, following, strict=True))
    ]  # fmt: skip
