"""Builders of one webhook's report, short enough to read in a table."""

from typing import Any, Final

from tests.service.events.webhooks import AMOUNT, Json, Report

BANK_PAGE: Final = "https://bank.example/authenticate"
DECLINED: Final[Json] = {
    "type": "card_error",
    "code": "card_declined",
    "decline_code": "insufficient_funds",
    "message": "Your card has insufficient funds.",
}


def intent(kind: str, minute: int, status: str, call: str = "create", **fields: Any) -> Report:
    """A report on the payment itself; Stripe's object carries our payment ID."""
    fields = {"status": status, **fields}
    about = f"payment_intent.{kind}", "payment_intent"
    return Report(*about, minute, ours=True, fields=fields, call=call)


def refund(type_: str, minute: int, status: str, *, ours: bool = False, **fields: Any) -> Report:
    """A report on a refund of 400; if it is not ours, it was made in the provider's dashboard."""
    fields = {"status": status, "amount": 400, **fields}
    return Report(type_, "refund", minute, ours=ours, fields=fields)


def refunded_in_all(version: str, **fields: Any) -> Report:
    """A report on the charge, to an endpoint of a version in which refunds had no events."""
    fields = {"amount_refunded": 400, **fields}
    return Report("charge.refunded", "charge", 12, ours=True, fields=fields, version=version)


def dispute(kind: str, minute: int, status: str, *moved: int) -> Report:
    """A report on a dispute over the whole payment, which never carries our payment ID."""
    fields = {"status": status, "reason": "fraudulent"}
    return Report(
        f"charge.dispute.{kind}", "dispute", minute, ours=False, moved=moved, fields=fields
    )


def fraud_warning(kind: str, minute: int, *, actionable: bool) -> Report:
    """A report on a bank's fraud warning, which never carries our payment ID."""
    about = "radar.early_fraud_warning"
    return Report(f"{about}.{kind}", about, minute, ours=False, fields={"actionable": actionable})


CREATED: Final = intent("created", 0, "requires_confirmation")
ASKED: Final = intent(
    "requires_action", 1, "requires_action",
    next_action={
        "type": "redirect_to_url",
        "redirect_to_url": {"url": BANK_PAGE, "return_url": "https://shop.example/back"},
    },
)  # fmt: skip
HELD: Final = intent(
    "amount_capturable_updated", 2, "requires_capture",
    amount_capturable=AMOUNT, capture_method="manual",
)  # fmt: skip
FAILED: Final = intent(
    "payment_failed", 2, "requires_payment_method", last_payment_error=DECLINED
)  # fmt: skip
SUCCEEDED: Final = intent("succeeded", 3, "succeeded", amount_received=AMOUNT)
REFUND_PENDING: Final = refund("refund.created", 10, "pending")
REFUND_DONE: Final = refund("refund.updated", 11, "succeeded")
DISPUTED: Final = dispute("created", 20, "needs_response")
WITHDRAWN: Final = dispute("funds_withdrawn", 21, "needs_response", -AMOUNT)
WARNED: Final = fraud_warning("created", 15, actionable=True)
LOST: Final = dispute("closed", 23, "lost", -AMOUNT)
