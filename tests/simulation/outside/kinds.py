"""The kinds of payments, as a table: how each is created, and its rules."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sandbox.stories import (
    AUTHENTICATION,
    BACK,
    DECLINED,
    VISA,
    Condition,
    Json,
    Rule,
    awaiting,
    status,
)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of payment.

    Args:
        create: the body of its create.
        rules: the actions of its client, its customer and its bank.
        expires_s: the range of its expiry, in seconds.
        suppressed: the provider generates no event of its creation.
    """

    create: Mapping[str, Any]
    rules: tuple[Rule, ...] = ()
    expires_s: tuple[float, float] = (86_400.0, 86_400.0)
    suppressed: bool = False


def attempts(number: int, condition: Condition) -> Condition:
    """The condition holds at this attempt."""
    return lambda p: p["attempts"] == number and condition(p)


def refunded(part: float) -> Condition:
    """At least this share of the captured amount was refunded."""
    return lambda p: p["amounts"]["refunded"] >= part * p["amounts"]["captured"] > 0


def disputed(*names: str) -> Condition:
    """A dispute has one of these statuses."""
    return lambda p: any(d["status"] in names for d in p["disputes"])


def appealed(*names: str) -> Condition:
    """A decision on a dispute is appealed, in one of these statuses."""
    return lambda p: any(d["appeal"] and d["status"] in names for d in p["disputes"])


def warned_about(p: Json) -> bool:
    """A bank warns of fraud, and a refund may still help."""
    return any(w["actionable"] for w in p["fraud_warnings"])


def given_up(p: Json) -> bool:
    """The last attempt has failed, and the provider is asked to cancel."""
    return p["status"] == "PROCESSING" and p["failure"] is not None


def reversed_refund(p: Json) -> bool:
    """A refund failed after it had succeeded."""
    return any(r["reversed"] for r in p["refunds"])


TAKEN_BACK: Final = "bank takes the authorization back"
#: The provider's events have whole seconds; within one second their order is unknown.
ANOTHER_SECOND: Final = 1.1
AUTHORIZED, SUCCEEDED = status("AUTHORIZED"), status("SUCCEEDED")
NEW_METHOD, REDIRECT = awaiting("new_payment_method"), awaiting("redirect")
RETRY: Final = Rule(NEW_METHOD, "confirm", {"payment_method": VISA}, times=6)
RETRY_DECLINED: Final = Rule(NEW_METHOD, "confirm", {"payment_method": DECLINED}, times=6)
PASS: Final = Rule(REDIRECT, "customer passes", times=6)
ALL: Final = {"amount": "all"}
CAPTURE: Final = Rule(AUTHORIZED, "capture", ALL, times=4)

KINDS: Final[Mapping[str, Kind]] = {
    "succeeds": Kind({"payment_method": VISA}),
    "is declined": Kind({"payment_method": DECLINED}),
    "is refused": Kind({"payment_method": "pm_there_is_no_such"}),
    "is declined twice": Kind({"payment_method": DECLINED, "max_attempts": 2}, (RETRY_DECLINED,)),
    "is declined, then succeeds": Kind({"payment_method": DECLINED, "max_attempts": 3}, (RETRY,)),
    "is declined for good, and another card needs its customer": Kind(
        {"payment_method": DECLINED},
        (
            Rule(given_up, "another card is tried elsewhere"),
            Rule(REDIRECT, "customer passes", after_s=ANOTHER_SECOND),
        ),
    ),
    "is declined for good, and another card is authorized": Kind(
        {"payment_method": DECLINED, "capture_method": "manual"},
        (
            Rule(given_up, "another card is tried elsewhere"),
            Rule(AUTHORIZED, "capture", ALL, after_s=ANOTHER_SECOND),
        ),
    ),
    "needs its customer": Kind({"payment_method": AUTHENTICATION, **BACK}, (PASS,)),
    "needs its customer, in the provider's SDK": Kind(
        {"payment_method": AUTHENTICATION},
        (Rule(awaiting("provider_sdk"), "customer passes", times=6),),
    ),
    "needs its customer, and time": Kind(
        {"payment_method": AUTHENTICATION, **BACK},
        (
            Rule(REDIRECT, "bank takes its time", times=2),
            Rule(status("PROCESSING", "REQUIRES_ACTION"), "customer passes", times=9),
        ),
    ),
    "is not authenticated": Kind(
        {"payment_method": AUTHENTICATION, "max_attempts": 2, **BACK},
        (Rule(REDIRECT, "customer fails", times=4), RETRY),
    ),
    "is not authenticated, then declined": Kind(
        {"payment_method": AUTHENTICATION, "max_attempts": 2, **BACK},
        (Rule(REDIRECT, "customer fails", times=4), RETRY_DECLINED),
    ),
    "is declined, then needs its customer": Kind(
        {"payment_method": DECLINED, "max_attempts": 2, **BACK},
        (Rule(NEW_METHOD, "confirm", {"payment_method": AUTHENTICATION}, times=6), PASS),
    ),
    "is abandoned": Kind({"payment_method": AUTHENTICATION, **BACK}, (), (5.0, 20.0)),
    "is abandoned after a decline": Kind(
        {"payment_method": DECLINED, "max_attempts": 2}, (), (5.0, 20.0)
    ),
    "is captured": Kind({"payment_method": VISA, "capture_method": "manual"}, (CAPTURE,)),
    "is captured after more was authorized elsewhere": Kind(
        {"payment_method": VISA, "capture_method": "manual"},
        (
            Rule(AUTHORIZED, "more is authorized elsewhere", times=2),
            Rule(AUTHORIZED, "capture", ALL, times=4, after_s=ANOTHER_SECOND),
            Rule(SUCCEEDED, "refunds", ALL),
        ),
    ),
    "is captured elsewhere, and more than is authorized": Kind(
        {"payment_method": VISA, "capture_method": "manual"},
        (
            Rule(AUTHORIZED, "more is captured elsewhere"),
            Rule(SUCCEEDED, "refunds", ALL),
        ),
    ),
    "is captured in part elsewhere, and refunded here and there": Kind(
        {"payment_method": VISA, "capture_method": "manual"},
        (
            Rule(AUTHORIZED, "a part is captured elsewhere"),
            Rule(SUCCEEDED, "refunded in the dashboard"),
            Rule(SUCCEEDED, "refunds", share=0.1),
            Rule(refunded(0.5), "refunded in the dashboard"),
        ),
    ),
    "is captured in part": Kind(
        {"payment_method": VISA, "capture_method": "manual"},
        (
            Rule(AUTHORIZED, "capture", share=0.6, times=4),
            Rule(SUCCEEDED, "refunds", share=0.2),
            Rule(refunded(0.3), "refunds", ALL),
        ),
    ),
    "is captured after its customer acted": Kind(
        {"payment_method": AUTHENTICATION, "capture_method": "manual", **BACK}, (PASS, CAPTURE)
    ),
    "is canceled": Kind(
        {"payment_method": VISA, "capture_method": "manual"},
        (Rule(AUTHORIZED, "cancel", times=3),),
    ),
    "is canceled at once": Kind(
        {"payment_method": VISA},
        (Rule(status("CREATED", "PROCESSING"), "cancel", times=2),),
    ),
    "is captured and canceled": Kind(
        {"payment_method": VISA, "capture_method": "manual"},
        (CAPTURE, Rule(AUTHORIZED, "cancel", times=3)),
    ),
    "waits too long for its capture": Kind(
        {"payment_method": VISA, "capture_method": "manual"},
        (
            Rule(AUTHORIZED, "bank lets the authorization expire", times=3),
            Rule(AUTHORIZED, "capture", ALL, times=1),
        ),
    ),
    "loses its authorization": Kind(
        {"payment_method": VISA, "capture_method": "manual", "max_attempts": 2},
        (
            Rule(attempts(1, AUTHORIZED), TAKEN_BACK, times=3, after_s=ANOTHER_SECOND),
            RETRY,
            Rule(attempts(2, AUTHORIZED), "capture", ALL, times=4),
        ),
    ),
    "loses its only authorization": Kind(
        {"payment_method": VISA, "capture_method": "manual"},
        (Rule(AUTHORIZED, TAKEN_BACK, times=3, after_s=ANOTHER_SECOND),),
    ),
    "is captured as it loses its authorization": Kind(
        {"payment_method": VISA, "capture_method": "manual"},
        (
            Rule(AUTHORIZED, TAKEN_BACK, times=3, after_s=ANOTHER_SECOND),
            Rule(AUTHORIZED, "capture", ALL, after_s=ANOTHER_SECOND),
        ),
    ),
    "is refunded": Kind(
        {"payment_method": VISA},
        (
            Rule(SUCCEEDED, "refunds", share=0.3),
            Rule(SUCCEEDED, "refunds", share=0.3),
            Rule(refunded(0.5), "refunds", ALL),
        ),
    ),
    "is refunded too much": Kind(
        {"payment_method": VISA},
        (
            Rule(SUCCEEDED, "refunds", share=0.7),
            Rule(SUCCEEDED, "refunds", share=0.7),
            Rule(SUCCEEDED, "refunded in the dashboard"),
        ),
    ),
    "is refunded in vain": Kind(
        {"payment_method": "pm_card_refundFail"},
        (Rule(SUCCEEDED, "refunds", ALL), Rule(reversed_refund, "refunds", share=0.5)),
    ),
    "is refunded slowly": Kind(
        {"payment_method": "pm_card_pendingRefund"}, (Rule(SUCCEEDED, "refunds", share=0.5),)
    ),
    "is refunded before we know of it": Kind(
        {"payment_method": VISA},
        (
            Rule(status("CREATED"), "refunded in the dashboard"),
            Rule(status("CREATED"), "refunded in the dashboard"),
        ),
        suppressed=True,
    ),
    "is refunded in the dashboard": Kind(
        {"payment_method": VISA}, (Rule(SUCCEEDED, "refunded in the dashboard", times=2),)
    ),
    "is disputed": Kind(
        {"payment_method": "pm_card_createDispute"},
        (
            Rule(disputed("NEEDS_RESPONSE"), "dispute is lost"),
            Rule(disputed("LOST"), "dispute is won"),
            Rule(disputed("NEEDS_RESPONSE"), "refunds", share=0.5),
        ),
    ),
    "is disputed, and appealed": Kind(
        {"payment_method": "pm_card_createDispute"},
        (
            Rule(disputed("NEEDS_RESPONSE"), "dispute is lost", after_s=ANOTHER_SECOND),
            Rule(disputed("LOST"), "dispute can be appealed", after_s=ANOTHER_SECOND),
            Rule(appealed("NEEDS_RESPONSE"), "dispute is appealed", after_s=ANOTHER_SECOND),
            Rule(appealed("UNDER_REVIEW"), "dispute is won", after_s=ANOTHER_SECOND),
        ),
    ),
    "is inquired after, then charged back": Kind(
        {"payment_method": "pm_card_createDisputeInquiry"},
        (
            Rule(disputed("WARNING_NEEDS_RESPONSE"), "inquiry is closed"),
            Rule(disputed("WARNING_CLOSED"), "inquiry becomes a chargeback"),
            Rule(disputed("NEEDS_RESPONSE"), "refunds", share=0.5),
        ),
    ),
    "is disputed abroad": Kind(
        {"payment_method": VISA},
        (
            Rule(SUCCEEDED, "disputed abroad"),
            Rule(disputed("NEEDS_RESPONSE"), "exchange rate is corrected"),
            Rule(disputed("NEEDS_RESPONSE"), "refunds", share=0.2),
            Rule(disputed("NEEDS_RESPONSE"), "dispute is won", after_s=ANOTHER_SECOND),
            Rule(disputed("WON"), "refunds", share=0.2),
        ),
    ),
    "is warned about, and refunded": Kind(
        {"payment_method": VISA},
        (Rule(SUCCEEDED, "bank warns of fraud"), Rule(warned_about, "refunds", ALL)),
    ),
    "is canceled in the dashboard": Kind(
        {"payment_method": VISA, "capture_method": "manual"},
        (
            Rule(status("CREATED", "AUTHORIZED"), "canceled in the dashboard", times=9),
            Rule(AUTHORIZED, "capture", ALL),
        ),
    ),
    "is canceled in the dashboard before we know of it": Kind(
        {"payment_method": VISA, "capture_method": "manual"},
        (Rule(status("CREATED"), "canceled in the dashboard"), CAPTURE),
        suppressed=True,
    ),
    "is abandoned in the dashboard": Kind(
        {"payment_method": AUTHENTICATION, **BACK},
        (Rule(status("CREATED", "REQUIRES_ACTION"), "abandoned in the dashboard", times=9), PASS),
    ),
    "is authorized, and abandoned in the dashboard": Kind(
        {"payment_method": VISA, "capture_method": "manual"},
        (Rule(status("CREATED", "AUTHORIZED"), "abandoned in the dashboard", times=9), CAPTURE),
    ),
}

_BEFORE: Final = ("is refunded before we know of it",)
#: Points that are rarely passed without payments of these kinds.
LEADING_TO: Final[Mapping[str, tuple[str, ...]]] = {
    "owners": (*_BEFORE, "is disputed", "is refunded in the dashboard"),
    "park": _BEFORE,
    "delete_unrouted": _BEFORE,
}
