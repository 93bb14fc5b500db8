"""Every event type that affects a payment, with its report and its effect.

The effects are written down from docs/outcomes.md, docs/semantics.md and docs/state-machine.md.
"""

from collections.abc import Mapping
from typing import Final

from tests.service.events.disputes import DISPUTE_ROWS
from tests.service.events.payments import PAYMENT_ROWS
from tests.service.events.refunds import REFUND_ROWS
from tests.service.events.reports import CREATED, SUCCEEDED, intent
from tests.service.events.rows import PAID, Effect, Row
from tests.service.events.webhooks import AMOUNT, Report

#: Types without effect, although their objects would have one in an event of another type.
UNMODELLED_ROWS: Final[Mapping[str, Row]] = {
    "payment_intent.some_future_thing": Row(
        first=(CREATED,),
        report=intent("some_future_thing", 5, "succeeded", amount_received=AMOUNT),
        effect=Effect(
            outcome="ignored",
            reason="payment_intent.some_future_thing: this type of event has no effect",
            status="PROCESSING", visible=False,
        ),
    ),
    "charge.refunded, which refund events repeat": Row(
        first=(SUCCEEDED,),
        report=Report(
            "charge.refunded", "charge", 12, ours=True,
            fields={"amount_refunded": AMOUNT, "refunded": True, "captured": True},
        ),
        effect=Effect(
            outcome="ignored",
            reason="charge.refunded: in this API version, other events report what it says",
            status="SUCCEEDED", visible=False, amounts=PAID,
        ),
    ),
}  # fmt: skip

MODELLED_ROWS: Final = {**PAYMENT_ROWS, **REFUND_ROWS, **DISPUTE_ROWS}
ROWS: Final = {**MODELLED_ROWS, **UNMODELLED_ROWS}
#: An event that concerns no payment.
PAYOUT: Final = Report("payout.paid", "payout", 0, ours=False, fields={"status": "paid"})
