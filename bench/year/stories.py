"""The lives of payments in a year's store: what their clients ask for, what Stripe reports.

A share of payments has each story. A course (``bench/load/courses.py``) gives the webhooks; a
story adds its client's commands and disputes, or ends before its course does.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from bench.load.courses import COURSES, Course
from bench.load.events import Delivery, create_command, deliveries, facts_of
from bench.load.later import Ended, dispute_created, dispute_lost
from ingress import command_builders as build
from ports.producer_record import ProducerRecord
from ports.provider import FetchedEvent, Webhook
from processor.worker.webhook_records import fetched
from sandbox.stripe_simulator.chance import Chance
from schemas import http, identity
from schemas.commands import CommandBase, CreatePayment
from schemas.topics import PAYMENT_COMMANDS

SEED: Final = "year"
DUPLICATES: Final = 0.10  # of the webhooks, delivered once more
LATE: Final = 0.10  # of the webhooks, delivered after the next one
COURSE: Final = {course.name: course for course in COURSES}

#: A client's later command, at this time.
Ask = Callable[[CreatePayment, datetime], CommandBase]


@dataclass(frozen=True, slots=True)
class Story:
    """One kind of life.

    Args:
        name: of the story.
        share: of all payments, in percent.
        course: gives the webhooks, of which ``webhooks`` came; None: all.
        asks: the client's later commands, each with its seconds after the payment's creation.
        disputed: whether the payment is disputed after its end.
    """

    name: str
    share: float
    course: Course
    webhooks: int | None = None
    asks: tuple[tuple[float, Ask], ...] = ()
    disputed: bool = False


def _capture(created: CreatePayment, at: datetime) -> CommandBase:
    body = http.CaptureRequest(amount="all")
    operation = build.identify(created.tenant, created.payment_id, "capture", "capture-1", body)
    return build.capture(operation, body, at)


def _cancel(created: CreatePayment, at: datetime) -> CommandBase:
    body = http.CancelRequest()
    operation = build.identify(created.tenant, created.payment_id, "cancel", "cancel-1", body)
    return build.cancel(operation, body, at)


def _refund(created: CreatePayment, at: datetime) -> CommandBase:
    body = http.RefundRequest(amount="all", reason="requested_by_customer")
    operation = build.identify(created.tenant, created.payment_id, "refund", "refund-1", body)
    refund_id = identity.refund_id(created.payment_id, "refund-1")
    return build.refund(operation, body, at, refund_id=refund_id)


#: Five in a hundred are unfinished.
STORIES: Final = (
    Story("paid", 36.0, COURSE["paid"]),
    Story("authenticated", 22.0, COURSE["authenticated"]),
    Story("processing", 8.0, COURSE["processing"]),
    Story("captured", 11.0, COURSE["captured"], asks=((4.0, _capture),)),
    Story("refunded", 3.0, COURSE["refunded"]),
    Story("refunded by its client", 5.0, COURSE["refunded"], asks=((7.0, _refund),)),
    Story("declined", 7.0, COURSE["declined"]),
    Story("released", 2.5, COURSE["released"], asks=((5.0, _cancel),)),
    Story("disputed", 0.5, COURSE["paid"], disputed=True),
    Story("created only", 0.5, COURSE["paid"], webhooks=1),
    Story("waits for its customer", 2.0, COURSE["authenticated"], webhooks=2),
    Story("in processing", 0.5, COURSE["processing"], webhooks=3),
    Story("waits for its capture", 2.0, COURSE["captured"], webhooks=3),
)


@dataclass(frozen=True, slots=True)
class Life:
    """One payment's records from outside, by the seconds after its creation, in order.

    ``object_id`` and ``refund_ref`` are what the provider answers to the calls.
    """

    payment_id: str
    object_id: str
    refund_ref: str
    begun_at: datetime
    records: tuple[tuple[float, ProducerRecord], ...]


def life(story: Story, tenant: str, number: int, begun_at: datetime) -> Life:
    """The life of one payment; its number makes its IDs, amount and order of webhooks."""
    draw = Chance(f"{SEED}/{number}")
    amount = draw.whole(100, 50_000, "amount")
    created = create_command(tenant, f"{SEED}-{number}", story.course, amount, begun_at)
    facts = facts_of(draw, created, story.course, number, int(begun_at.timestamp()))
    commands = [(0.0, created), *((s, ask(created, _after(begun_at, s))) for s, ask in story.asks)]
    records = [(after_s, _command_record(command)) for after_s, command in commands]
    for after_s, delivery in _delivered(draw, story, created, number, begun_at):
        records.append((after_s, _webhook_record(delivery, _after(begun_at, after_s))))
    return Life(
        payment_id=created.payment_id,
        object_id=facts.intent,
        refund_ref=facts.refund,
        begun_at=begun_at,
        records=tuple(sorted(records, key=lambda each: each[0])),
    )


def _delivered(
    draw: Chance, story: Story, created: CreatePayment, number: int, begun_at: datetime
) -> Iterator[tuple[float, Delivery]]:
    """The story's webhooks: some late, some twice."""
    begun_s = int(begun_at.timestamp())
    course = replace(story.course, steps=story.course.steps[: story.webhooks])
    found = [
        # after the answer to the create, except some of the first ones
        (0.2 + after_s, delivery)
        for (after_s, _), delivery in zip(
            course.steps, deliveries(draw, created, course, number, begun_s), strict=True
        )
    ]
    if story.disputed:
        ended = Ended(created.payment_id, found[0][1].object_id, created.amount)
        found.append((9.0, dispute_created(draw, ended, number, begun_s + 9)))
        found.append((11.0, dispute_lost(draw, ended, number, begun_s + 11)))
    for index, (after_s, delivery) in enumerate(found):
        is_late = index + 1 < len(found) and draw.happens(LATE, "late", index)
        yield (found[index + 1][0] + 0.05 if is_late else after_s), delivery
        if draw.happens(DUPLICATES, "duplicate", index):
            yield after_s + draw.between((0.2, 8.0), "again", index), delivery


def _after(begun_at: datetime, seconds: float) -> datetime:
    return begun_at + timedelta(seconds=seconds)


def _command_record(command: CommandBase) -> ProducerRecord:
    key, value = command.payment_id.encode(), command.model_dump_json().encode()
    return ProducerRecord(PAYMENT_COMMANDS, key, value, ())


def _webhook_record(delivery: Delivery, at: datetime) -> ProducerRecord:
    webhook = Webhook(delivery.event_id, delivery.object_id, delivery.payment_id)
    return fetched(FetchedEvent(webhook, delivery.body), "stripe", at)
