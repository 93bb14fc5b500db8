"""An attempt to charge a card: authentication, charge or decline, release of an authorization."""

from typing import Literal

from sandbox.stripe_simulator.errors import CardError, ResourceMissingError, documentation_url
from sandbox.stripe_simulator.events import Cause
from sandbox.stripe_simulator.objects import objects
from sandbox.stripe_simulator.objects.payment_methods import (
    AUTHENTICATION_FAILURE,
    AUTHENTICATION_REQUIRED,
    TEST_CARDS,
    Decline,
    TestCard,
)
from sandbox.stripe_simulator.rendering import NO_RELEASE_REFUNDS, REFUND_EVENTS
from sandbox.stripe_simulator.storage.types import JsonObject
from sandbox.stripe_simulator.world import World

AUTHORIZATION_EXPIRY = "authorization_expiry"
DISPUTE_OPENING = "dispute_opening"
FRAUD_WARNING = "fraud_warning"


def take_payment_method(world: World, name: str, cause: Cause) -> str:
    """The ID of a payment method for one use; like Stripe, this copies a test payment method.

    Raises:
        ResourceMissingError: it is neither a test payment method nor a copy of one.
    """
    card = TEST_CARDS.get(name)
    if card is None:
        if world.store.find("payment_method", name) is None:
            raise ResourceMissingError("PaymentMethod", name, param="payment_method", in_path=False)
        return name
    copy = objects.payment_method(world.object_id("pm_1", cause), world.clock.seconds(), card)
    world.store.insert(copy)
    world.store.run("insert into cards values (?, ?)", (copy["id"], name))
    return str(copy["id"])


def card_of(world: World, payment_method_id: str) -> TestCard:
    """The test card of a payment method."""
    row = world.store.row("select name from cards where payment_method = ?", (payment_method_id,))
    return TEST_CARDS[row[0]]


def confirm(
    world: World, intent: JsonObject, cause: Cause, *, unattended: bool, return_url: str | None
) -> None:
    """Try to charge the intent's payment method.

    Args:
        world: the simulator.
        intent: the PaymentIntent.
        cause: the API call.
        unattended: the customer can't be asked to authenticate.
        return_url: where the customer goes after authenticating.

    Raises:
        CardError: the card was declined; the intent waits for another payment method.
    """
    card = card_of(world, intent["payment_method"])
    if card.authentication and not unattended:
        intent["status"] = "requires_action"
        intent["last_payment_error"] = None
        intent["next_action"] = _next_action(world, intent, card, return_url)
        world.store.update(intent)
        world.journal.record("payment_intent.requires_action", intent, cause)
        return
    decline = AUTHENTICATION_REQUIRED if card.authentication else card.decline
    if decline is not None:
        raise _declined(world, intent, card, decline, cause)
    _charged(world, intent, card, cause)


def _next_action(
    world: World, intent: JsonObject, card: TestCard, return_url: str | None
) -> JsonObject:
    """The customer's page; without a return URL, what only Stripe's own SDK can carry out.

    Source: https://docs.stripe.com/payments/3d-secure/authentication-flow
    """
    if return_url is not None:
        page = f"{world.settings.base_url}/_control/payment_intents/{intent['id']}/action"
        page += world.control_query
        return {
            "type": "redirect_to_url",
            "redirect_to_url": {"return_url": return_url, "url": page},
        }
    return {
        "type": "use_stripe_sdk",
        "use_stripe_sdk": {
            "directory_server_name": card.brand,
            "merchant": world.account.id,
            "server_transaction_id": world.chance.object_id("", intent["id"], "3ds2"),
            "three_d_secure_2_source": world.chance.object_id("payatt_3", intent["id"]),
            "type": "stripe_3ds2_fingerprint",
        },
    }


def complete_action(
    world: World, intent: JsonObject, outcome: Literal["succeed", "fail"], cause: Cause
) -> None:
    """The customer passes or fails authentication, and the attempt goes on or ends."""
    card = card_of(world, intent["payment_method"])
    if outcome == "fail":
        error = _error_details(world, intent, AUTHENTICATION_FAILURE, None)
        _wait_for_another(world, intent, error, cause)
    elif card.decline is not None:
        _declined(world, intent, card, card.decline, cause)  # no request waits for this result
    else:
        _charged(world, intent, card, cause)


def release(
    world: World, charge: JsonObject, amount: int, reason: str | None, cause: Cause
) -> bool:
    """Release an uncaptured amount. Returns whether it is recorded as a refund of the charge.

    It is for a request of a version before 2025-03-31, and then every event about it has that
    version's form. The charge's own event is up to the caller.

    Source: https://docs.stripe.com/changelog/basil/2025-03-31/remove-refund-from-partial-capture-and-payment-cancellation-flow
    """
    if cause.api_version >= NO_RELEASE_REFUNDS:
        return False
    now = world.clock.seconds()
    refund_id = release_id(world, charge)
    refund = objects.refund(
        refund_id,
        now,
        charge,
        amount,
        reason=reason,
        balance_transaction=charge["balance_transaction"]
        and world.chance.object_id("txn_3", refund_id),
    )
    world.store.insert(refund)
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount"]
    if cause.api_version >= REFUND_EVENTS:
        world.journal.record("refund.created", refund, cause, version=cause.api_version)
    world.journal.record("charge.refund.updated", refund, cause, version=cause.api_version)
    return True


def given_back(world: World, charge: JsonObject) -> int:
    """What was refunded of a charge, without an amount that was never captured."""
    released = world.store.find("refund", release_id(world, charge))
    refunded: int = charge["amount_refunded"]
    return refunded - (released["amount"] if released is not None else 0)


def release_id(world: World, charge: JsonObject) -> str:
    """The ID of the refund that a released amount of this charge makes."""
    return world.chance.object_id("re_3", charge["id"], "release")


def _charged(world: World, intent: JsonObject, card: TestCard, cause: Cause) -> None:
    charge = _new_charge(world, intent, card)
    manual = intent["capture_method"] == "manual"
    charge["status"] = "succeeded"
    charge["paid"] = True
    charge["outcome"] = _outcome("approved_by_network", "authorized", "Payment complete.", None)
    if manual:
        expires = charge["created"] + int(world.settings.authorization_hold_s)
        charge["payment_method_details"]["card"]["capture_before"] = expires
    else:
        settle_capture(world, charge, charge["amount"])
    world.store.insert(charge)
    world.journal.record("charge.succeeded", charge, cause)
    intent["latest_charge"] = charge["id"]
    intent["last_payment_error"] = None
    intent["next_action"] = None
    if manual:
        intent["status"] = "requires_capture"
        intent["amount_capturable"] = intent["amount"]
        world.start_timer(AUTHORIZATION_EXPIRY, intent["id"], world.settings.authorization_hold_s)
    else:
        intent["status"] = "succeeded"
        intent["amount_received"] = intent["amount"]
        follow_payment(world, charge)
    world.store.update(intent)
    happened = "amount_capturable_updated" if manual else "succeeded"
    world.journal.record(f"payment_intent.{happened}", intent, cause)


def follow_payment(world: World, charge: JsonObject) -> None:
    """Plan what a test card's holder and bank do some time after the payment."""
    card = card_of(world, charge["payment_method"])
    delay_s = world.settings.settlement_delay_s
    if card.dispute is not None:
        world.start_timer(DISPUTE_OPENING, charge["id"], delay_s)
    if card.warned_about:
        world.start_timer(FRAUD_WARNING, charge["id"], delay_s)


def settle_capture(world: World, charge: JsonObject, amount: int) -> None:
    """Mark a charge captured, wholly or in part."""
    charge["captured"] = True
    charge["amount_captured"] = amount
    charge["balance_transaction"] = world.chance.object_id("txn_3", charge["id"])


def _declined(
    world: World, intent: JsonObject, card: TestCard, decline: Decline, cause: Cause
) -> CardError:
    charge = _new_charge(world, intent, card)
    charge["status"] = "failed"
    charge["failure_code"] = decline.code
    charge["failure_message"] = decline.message
    charge["outcome"] = _outcome(
        "declined_by_network",
        "issuer_declined",
        "The bank did not return any further details with this decline.",
        decline.decline_code or decline.code,
    )
    world.store.insert(charge)
    world.journal.record("charge.failed", charge, cause)
    intent["latest_charge"] = charge["id"]
    error = _error_details(world, intent, decline, charge["id"])
    _wait_for_another(world, intent, error, cause)
    details = {
        name: value
        for name, value in error.items()
        if name not in ("message", "type", "code", "doc_url")
    }
    return CardError(
        decline.message, code=decline.code, details={**details, "payment_intent": intent}
    )


def _wait_for_another(world: World, intent: JsonObject, error: JsonObject, cause: Cause) -> None:
    intent["status"] = "requires_payment_method"
    intent["payment_method"] = None
    intent["next_action"] = None
    intent["last_payment_error"] = error
    world.store.update(intent)
    world.journal.record("payment_intent.payment_failed", intent, cause)


def _error_details(
    world: World, intent: JsonObject, decline: Decline, charge_id: str | None
) -> JsonObject:
    error: JsonObject = {
        "code": decline.code,
        "doc_url": documentation_url(decline.code),
        "message": decline.message,
        "payment_method": world.store.get("payment_method", intent["payment_method"]),
        "type": "card_error",
    }
    if charge_id is not None:
        error["charge"] = charge_id
    if decline.decline_code is not None:
        error["decline_code"] = decline.decline_code
    return error


def _new_charge(world: World, intent: JsonObject, card: TestCard) -> JsonObject:
    attempt = world.store.count(f"charges:{intent['id']}")
    charge_id = world.chance.object_id("ch_3", intent["id"], attempt)
    return objects.charge(charge_id, world.clock.seconds(), intent, card)


def _outcome(network_status: str, kind: str, message: str, reason: str | None) -> JsonObject:
    return {
        "network_status": network_status,
        "reason": reason,
        "risk_level": "normal",
        "risk_score": 20,
        "seller_message": message,
        "type": kind,
    }
