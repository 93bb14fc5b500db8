"""Webhooks about a payment that has ended: refunds and disputes at the provider, late facts."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from bench.load.courses import CHANGES, Facts, first_objects
from bench.load.events import Delivery, event
from sandbox.stripe_simulator.chance import Chance
from sandbox.stripe_simulator.objects import objects

METADATA: Final = {"channel": "web"}


@dataclass(frozen=True, slots=True)
class Ended:
    """A payment that has ended: its object at the provider, and its amount in minor units."""

    payment_id: str
    object_id: str
    amount: int


#: A webhook about the payment: its IDs are drawn from the chance by the number, its time is in
#: seconds since the epoch.
Later = Callable[[Chance, Ended, int, int], Delivery]


def refund_created(ids: Chance, payment: Ended, number: int, created: int) -> Delivery:
    """A refund of a tenth of the amount, or more where that is less than the smallest unit."""
    about = _objects(ids, payment, number, created)["refund"]
    about |= {"amount": max(1, payment.amount // 10), "status": "succeeded"}
    return _delivery(ids, payment, number, "refund.created", created, about)


def dispute_created(ids: Chance, payment: Ended, number: int, created: int) -> Delivery:
    """A dispute of the whole amount, which the provider has not withdrawn yet."""
    return _dispute(ids, payment, number, created, "charge.dispute.created", "needs_response")


def dispute_lost(ids: Chance, payment: Ended, number: int, created: int) -> Delivery:
    """The end of the dispute with the same number."""
    return _dispute(ids, payment, number, created, "charge.dispute.closed", "lost")


def processing_late(ids: Chance, payment: Ended, number: int, created: int) -> Delivery:
    """A fact from before the payment's success; ``created`` is its time."""
    about = _objects(ids, payment, number, created)["payment_intent"]
    kind = "payment_intent.processing"
    about |= CHANGES[kind](_facts(ids, payment, number, created))
    return _delivery(ids, payment, number, kind, created, about)


def _dispute(
    ids: Chance, payment: Ended, number: int, created: int, kind: str, status: str
) -> Delivery:
    charge = _objects(ids, payment, number, created)["charge"]
    dispute_id, movement_id = ids.object_id("du_1", number), ids.object_id("txn_1", number)
    movement = objects.balance_transaction(
        movement_id, created, -payment.amount, charge["currency"], dispute_id
    )
    about = objects.dispute(
        dispute_id,
        created,
        charge,
        payment.amount,
        network_reason_code="10.4",
        reason="fraudulent",
        status=status,
    )
    about["balance_transactions"] = [movement]
    return _delivery(ids, payment, number, kind, created, about)


def _facts(ids: Chance, payment: Ended, number: int, created: int) -> Facts:
    return Facts(
        amount=payment.amount,
        intent=payment.object_id,
        charge=ids.object_id("ch_3", number),
        refund=ids.object_id("re_3", number),
        payment_method=ids.object_id("pm_1", number),
        created=created,
        cancellation_reason=None,
    )


def _objects(ids: Chance, payment: Ended, number: int, created: int) -> dict[str, Any]:
    metadata = {**METADATA, "payment_id": payment.payment_id}
    return first_objects(_facts(ids, payment, number, created), metadata)


def _delivery(
    ids: Chance, payment: Ended, number: int, kind: str, created: int, about: Any
) -> Delivery:
    event_id = ids.object_id("evt_1", kind, number)
    body = event(event_id, kind, created, about)
    return Delivery(event_id, payment.payment_id, payment.object_id, body)
