"""Events about the payment itself."""

from collections.abc import Mapping
from typing import Final

from tests.service.events.reports import ASKED, BANK_PAGE, CREATED, FAILED, HELD, SUCCEEDED, intent
from tests.service.events.rows import PAID, Effect, Row
from tests.service.events.webhooks import AMOUNT

MANUAL: Final = {"capture_method": "manual"}
TWO_ATTEMPTS: Final = {"max_attempts": 2}

PAYMENT_ROWS: Final[Mapping[str, Row]] = {
    "payment_intent.created": Row(
        report=CREATED,
        effect=Effect(reason="open", status="PROCESSING", came_from="CREATED"),
    ),
    "payment_intent.created, after the success": Row(
        first=(SUCCEEDED,),
        report=CREATED,
        effect=Effect(
            outcome="stale", reason="superseded", names_previous=True, visible=False,
            status="SUCCEEDED", amounts=PAID,
        ),
    ),
    "payment_intent.requires_action": Row(
        first=(CREATED,),
        report=ASKED,
        effect=Effect(
            reason="action_needed", status="REQUIRES_ACTION", came_from="PROCESSING",
            next_action={"type": "redirect", "url": BANK_PAGE},
        ),
    ),
    "payment_intent.processing": Row(
        first=(CREATED, ASKED),
        report=intent("processing", 2, "processing"),
        effect=Effect(reason="pending", status="PROCESSING", came_from="REQUIRES_ACTION"),
    ),
    "payment_intent.amount_capturable_updated": Row(
        body=MANUAL,
        first=(CREATED,),
        report=HELD,
        effect=Effect(
            reason="authorized", status="AUTHORIZED", came_from="PROCESSING",
            amounts={"authorized": AMOUNT},
        ),
    ),
    "payment_intent.payment_failed, another attempt is left": Row(
        body=TWO_ATTEMPTS,
        first=(CREATED,),
        report=FAILED,
        effect=Effect(
            reason="attempt_failed", status="REQUIRES_ACTION", came_from="PROCESSING",
            next_action={"type": "new_payment_method", "url": None}, failure="insufficient_funds",
        ),
    ),
    "payment_intent.payment_failed, the last attempt": Row(
        first=(CREATED,),
        report=FAILED,
        effect=Effect(
            reason="attempt_failed", status="PROCESSING", failure="insufficient_funds",
            calls=("cancel",),
        ),
    ),
    "payment_intent.succeeded": Row(
        first=(CREATED,),
        report=SUCCEEDED,
        effect=Effect(
            reason="succeeded", status="SUCCEEDED", came_from="PROCESSING", amounts=PAID
        ),
    ),
    "payment_intent.succeeded, a part was captured": Row(
        body=MANUAL,
        first=(HELD,),
        report=intent("succeeded", 3, "succeeded", amount_received=600, capture_method="manual"),
        effect=Effect(
            reason="succeeded", status="SUCCEEDED", came_from="AUTHORIZED",
            amounts={"authorized": AMOUNT, "captured": 600},
        ),
    ),
    "payment_intent.canceled, as we asked after the last attempt": Row(
        first=(CREATED, FAILED),
        report=intent("canceled", 3, "canceled", call="cancel:exhausted"),
        effect=Effect(
            reason="canceled", status="FAILED", came_from="PROCESSING",
            failure="insufficient_funds", calls=("cancel",),
        ),
    ),
    "payment_intent.canceled, as the client asked": Row(
        body=MANUAL,
        first=(HELD,),
        report=intent("canceled", 3, "canceled", cancellation_reason="requested_by_customer"),
        effect=Effect(reason="canceled", status="CANCELED", came_from="AUTHORIZED"),
    ),
    "payment_intent.canceled, by the provider": Row(
        first=(CREATED, ASKED),
        report=intent("canceled", 3, "canceled", cancellation_reason="automatic"),
        effect=Effect(reason="canceled", status="CANCELED", came_from="REQUIRES_ACTION"),
    ),
    "payment_intent.canceled, after the success": Row(
        first=(SUCCEEDED,),
        report=intent("canceled", 4, "canceled", cancellation_reason="automatic"),
        effect=Effect(
            outcome="conflict", reason="canceled", names_previous=True, visible=False,
            status="SUCCEEDED", amounts=PAID,
        ),
    ),
    # not a webhook of Stripe's: the result of a look-up, in the form of an event
    "payment_intent.retrieved": Row(
        first=(CREATED, ASKED),
        report=intent("retrieved", 5, "succeeded", amount_received=AMOUNT),
        effect=Effect(
            reason="succeeded", status="SUCCEEDED", came_from="REQUIRES_ACTION", amounts=PAID
        ),
    ),
}  # fmt: skip
