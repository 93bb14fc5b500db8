"""Stripe's test payment methods and their behaviour, as a table.

Source: https://docs.stripe.com/testing
"""

from dataclasses import dataclass
from typing import Literal

RefundCourse = Literal["succeeds", "pending_then_succeeds", "succeeds_then_fails"]


@dataclass(frozen=True, slots=True)
class Decline:
    """A decline's codes and message."""

    code: str
    message: str
    decline_code: str | None = None


@dataclass(frozen=True, slots=True)
class DisputeCourse:
    """The dispute that the cardholder opens after paying."""

    reason: str
    status: str
    network_reason_code: str


@dataclass(frozen=True, slots=True)
class TestCard:
    """A test payment method's behaviour."""

    __test__ = False  # not a test class, despite its name

    brand: str = "visa"
    last4: str = "4242"
    authentication: bool = False
    decline: Decline | None = None
    refund: RefundCourse = "succeeds"
    dispute: DisputeCourse | None = None
    warned_about: bool = False


def _declined(decline_code: str, message: str = "Your card was declined.") -> Decline:
    return Decline("card_declined", message, decline_code)


GENERIC = _declined("generic_decline")
INSUFFICIENT_FUNDS = _declined("insufficient_funds", "Your card has insufficient funds.")
LOST = _declined("lost_card")
STOLEN = _declined("stolen_card")
VELOCITY = _declined(
    "card_velocity_exceeded",
    "Your card was declined for making repeated attempts too frequently or exceeding its amount"
    " limit.",
)
FRAUDULENT = _declined("fraudulent")
EXPIRED = Decline("expired_card", "Your card has expired.")
INCORRECT_CVC = Decline("incorrect_cvc", "Your card's security code is incorrect.")
PROCESSING_ERROR = Decline(
    "processing_error", "An error occurred while processing your card. Try again in a little bit."
)
AUTHENTICATION_REQUIRED = Decline(
    "authentication_required",
    "Your card was declined. This transaction requires authentication.",
    "authentication_required",
)
AUTHENTICATION_FAILURE = Decline(
    "payment_intent_authentication_failure",
    "The provided PaymentMethod has failed authentication. You can provide payment_method_data or a"
    " new PaymentMethod to attempt to fulfill this PaymentIntent again.",
)

TEST_CARDS: dict[str, TestCard] = {
    # succeed
    "pm_card_visa": TestCard(),
    "pm_card_visa_debit": TestCard(last4="5556"),
    "pm_card_mastercard": TestCard("mastercard", "4444"),
    "pm_card_mastercard_debit": TestCard("mastercard", "3222"),
    "pm_card_amex": TestCard("amex", "8431"),
    "pm_card_discover": TestCard("discover", "9424"),
    "pm_card_diners": TestCard("diners", "0004"),
    "pm_card_jcb": TestCard("jcb", "0505"),
    "pm_card_unionpay": TestCard("unionpay", "0005"),
    "pm_card_bypassPending": TestCard(last4="0077"),
    "pm_card_threeDSecureOptional": TestCard(last4="3055"),
    # are declined
    "pm_card_chargeDeclined": TestCard(last4="0002", decline=GENERIC),
    "pm_card_visa_chargeDeclined": TestCard(last4="0002", decline=GENERIC),
    "pm_card_chargeCustomerFail": TestCard(last4="0341", decline=GENERIC),
    "pm_card_chargeDeclinedInsufficientFunds": TestCard(last4="9995", decline=INSUFFICIENT_FUNDS),
    "pm_card_visa_chargeDeclinedInsufficientFunds": TestCard(
        last4="9995", decline=INSUFFICIENT_FUNDS
    ),
    "pm_card_chargeDeclinedLostCard": TestCard(last4="9987", decline=LOST),
    "pm_card_visa_chargeDeclinedLostCard": TestCard(last4="9987", decline=LOST),
    "pm_card_chargeDeclinedStolenCard": TestCard(last4="9979", decline=STOLEN),
    "pm_card_visa_chargeDeclinedStolenCard": TestCard(last4="9979", decline=STOLEN),
    "pm_card_visa_chargeDeclinedVelocityLimitExceeded": TestCard(last4="6975", decline=VELOCITY),
    "pm_card_chargeDeclinedExpiredCard": TestCard(last4="0069", decline=EXPIRED),
    "pm_card_chargeDeclinedIncorrectCvc": TestCard(last4="0127", decline=INCORRECT_CVC),
    "pm_card_chargeDeclinedProcessingError": TestCard(last4="0119", decline=PROCESSING_ERROR),
    "pm_card_radarBlock": TestCard(last4="0019", decline=FRAUDULENT),
    # ask the customer first
    "pm_card_authenticationRequired": TestCard(last4="3184", authentication=True),
    "pm_card_threeDSecureRequired": TestCard(last4="3063", authentication=True),
    "pm_card_threeDSecure2Required": TestCard(last4="3220", authentication=True),
    "pm_card_threeDSecureRequiredChargeDeclined": TestCard(
        last4="8341", authentication=True, decline=GENERIC
    ),
    "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds": TestCard(
        last4="8260", authentication=True, decline=INSUFFICIENT_FUNDS
    ),
    # succeed, and something follows
    "pm_card_pendingRefund": TestCard(last4="7726", refund="pending_then_succeeds"),
    "pm_card_refundFail": TestCard(last4="5126", refund="succeeds_then_fails"),
    "pm_card_createDispute": TestCard(
        last4="0259", dispute=DisputeCourse("fraudulent", "needs_response", "10.4")
    ),
    "pm_card_createDisputeProductNotReceived": TestCard(
        last4="2685", dispute=DisputeCourse("product_not_received", "needs_response", "13.1")
    ),
    "pm_card_createDisputeInquiry": TestCard(
        last4="1976", dispute=DisputeCourse("fraudulent", "warning_needs_response", "10")
    ),
    "pm_card_createIssuerFraudRecord": TestCard(last4="5423", warned_about=True),
}
