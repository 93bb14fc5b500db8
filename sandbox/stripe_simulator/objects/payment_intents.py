"""The PaymentIntent operations.

Source: https://docs.stripe.com/api/payment_intents and https://docs.stripe.com/payments/paymentintents/lifecycle
"""

from sandbox.stripe_simulator.errors import ParameterError, StateError
from sandbox.stripe_simulator.events import Cause
from sandbox.stripe_simulator.objects import attempts, objects
from sandbox.stripe_simulator.objects.payment_intent_params import (
    check_amount,
    check_step,
    method_settings,
    money,
    require_return_url,
)
from sandbox.stripe_simulator.params import Params
from sandbox.stripe_simulator.storage.types import JsonObject
from sandbox.stripe_simulator.world import Call, World

CANCELLATION_REASONS = ("duplicate", "fraudulent", "requested_by_customer", "abandoned")
_CANCELABLE = (
    "requires_payment_method",
    "requires_capture",
    "requires_confirmation",
    "requires_action",
    "processing",
)
_CONFIRMABLE = ("requires_payment_method", "requires_confirmation", "requires_action")
_COPIED = (
    "description", "receipt_email", "statement_descriptor", "statement_descriptor_suffix",
    "setup_future_usage", "transfer_group", "customer",
)  # fmt: skip


def create(world: World, call: Call) -> JsonObject:
    """Create a PaymentIntent, and confirm it at once if ``confirm`` is set."""
    params = call.params
    amount, currency = money(params)
    confirm_now = params.boolean("confirm") or False
    if not confirm_now:
        for name in ("off_session", "return_url", "error_on_requires_action"):
            if name in params.values:
                raise ParameterError(
                    f"You can only set {name} when you confirm: set confirm to true.", param=name
                )
    method_name = params.text("payment_method")
    if confirm_now and method_name is None:
        raise ParameterError(
            "You cannot confirm this PaymentIntent because it's missing a payment method.",
            code="parameter_missing",
            param="payment_method",
        )
    capture_method = params.choice("capture_method", ("automatic", "automatic_async", "manual"))
    confirmation_method = params.choice("confirmation_method", ("automatic", "manual"))
    metadata = params.metadata()
    methods = method_settings(params, confirm_now=confirm_now)
    copied = {name: params.text(name) for name in _COPIED}
    method_id = (
        attempts.take_payment_method(world, method_name, call.cause) if method_name else None
    )
    intent_id = world.object_id("pi_3", call.cause)
    intent = objects.payment_intent(
        intent_id,
        world.clock.seconds(),
        amount=amount,
        currency=currency,
        capture_method=capture_method or "automatic_async",
        client_secret=world.chance.object_id(f"{intent_id}_secret_", intent_id, length=25),
        confirmation_method=confirmation_method or "automatic",
        metadata=metadata,
        payment_method=method_id,
        status="requires_confirmation" if method_id else "requires_payment_method",
        **methods,
        **copied,
    )
    world.store.insert(intent)
    world.journal.record("payment_intent.created", intent, call.cause)
    if confirm_now:
        _confirm(world, intent, params, call.cause)
    return intent


def retrieve(world: World, call: Call) -> JsonObject:
    """A PaymentIntent's current state."""
    return world.require("payment_intent", call.object_id, param="intent")


def retrieve_charge(world: World, call: Call) -> JsonObject:
    """A charge's current state."""
    return world.require("charge", call.object_id, param="id")


def update(world: World, call: Call) -> JsonObject:
    """Change a PaymentIntent's descriptive fields, and its amount before the first charge."""
    intent = retrieve(world, call)
    params = call.params
    metadata = params.metadata(intent["metadata"])
    changes = {name: params.text(name) for name in _COPIED if name in params.values}
    amount = params.amount("amount")
    if amount is not None and intent["status"] not in _CONFIRMABLE:
        raise _unexpected(
            intent,
            "This PaymentIntent's amount could not be updated because it has a status of"
            f" {intent['status']}.",
        )
    method_name = params.text("payment_method")
    if method_name is not None and intent["status"] not in _CONFIRMABLE:
        raise _unexpected(
            intent,
            "This PaymentIntent's payment_method could not be updated because it has a status of"
            f" {intent['status']}.",
        )
    if method_name is not None:
        changes["payment_method"] = attempts.take_payment_method(world, method_name, call.cause)
        intent["status"] = "requires_confirmation"
        intent["next_action"] = None
    intent.update(changes, metadata=metadata)
    if amount is not None:
        check_amount(amount, intent["currency"])
        intent["amount"] = amount
    world.store.update(intent)
    return intent


def confirm(world: World, call: Call) -> JsonObject:
    """Confirm a PaymentIntent: try to charge its payment method."""
    intent = retrieve(world, call)
    params = call.params
    method_name = params.text("payment_method")
    if intent["status"] == "succeeded":
        raise _unexpected(
            intent,
            "You cannot confirm this PaymentIntent because it has already succeeded after being"
            " previously confirmed.",
        )
    if intent["status"] not in _CONFIRMABLE:
        raise _unexpected(
            intent,
            f"You cannot confirm this PaymentIntent because it has a status of {intent['status']}."
            " Only a PaymentIntent with one of the following statuses may be confirmed:"
            " requires_confirmation, requires_action.",
        )
    if method_name is None and intent["payment_method"] is None:
        raise _unexpected(
            intent,
            "You cannot confirm this PaymentIntent because it's missing a payment method. You can"
            " either update the PaymentIntent with a payment method and then confirm it again, or"
            " confirm it again directly with a payment method.",
        )
    require_return_url(params, intent["automatic_payment_methods"])
    if method_name is not None:
        intent["payment_method"] = attempts.take_payment_method(world, method_name, call.cause)
    _confirm(world, intent, params, call.cause)
    return intent


def increment_authorization(world: World, call: Call) -> JsonObject:
    """Raise the authorized amount to a new total.

    Source: https://docs.stripe.com/payments/incremental-authorization
    """
    intent = retrieve(world, call)
    amount = call.params.required_integer("amount")
    metadata = call.params.metadata(intent["metadata"])
    if intent["status"] != "requires_capture":
        raise _unexpected(
            intent,
            "This PaymentIntent's authorization could not be incremented because it has a status"
            f" of {intent['status']}.",
        )
    check_amount(amount, intent["currency"])
    if amount <= intent["amount"]:
        raise ParameterError(
            f"Amount must be greater than the authorized amount ({intent['amount']}).",
            param="amount",
        )
    charge = world.store.get("charge", intent["latest_charge"])
    before = dict(charge)
    charge["amount"] = amount
    card = charge["payment_method_details"]["card"]
    details = {**charge["payment_method_details"], "card": {**card, "amount_authorized": amount}}
    charge["payment_method_details"] = details
    world.store.update(charge)
    world.journal.record("charge.updated", charge, call.cause, before)
    intent.update(amount=amount, amount_capturable=amount, metadata=metadata)
    world.store.update(intent)
    world.journal.record("payment_intent.amount_capturable_updated", intent, call.cause)
    return intent


def capture(world: World, call: Call) -> JsonObject:
    """Capture an authorization fully or partly; the rest is released."""
    intent = retrieve(world, call)
    asked = call.params.amount("amount_to_capture")
    metadata = call.params.metadata(intent["metadata"])
    if intent["status"] == "succeeded":
        raise _unexpected(
            intent,
            "This PaymentIntent could not be captured because it has already been captured.",
        )
    if intent["status"] != "requires_capture":
        raise _unexpected(
            intent,
            "This PaymentIntent could not be captured because it has a status of"
            f" {intent['status']}. Only a PaymentIntent with one of the following statuses may be"
            " captured: requires_capture.",
        )
    amount = intent["amount_capturable"] if asked is None else asked
    check_step(amount, intent["currency"], param="amount_to_capture")
    if amount > intent["amount_capturable"]:
        raise StateError(
            f"The amount to capture ({amount}) is greater than the amount that can be captured"
            f" ({intent['amount_capturable']}).",
            code="amount_too_large",
            param="amount_to_capture",
        )
    intent["metadata"] = metadata
    return capture_intent(world, intent, amount, call.cause)


def capture_intent(world: World, intent: JsonObject, amount: int, cause: Cause) -> JsonObject:
    """Capture an amount of an authorized intent, which may be more than is authorized.

    Overcapture raises the intent's amount, and the charge keeps what was authorized.
    Source: https://docs.stripe.com/payments/overcapture
    """
    charge = world.store.get("charge", intent["latest_charge"])
    before = dict(charge)
    charge["amount"] = max(charge["amount"], amount)
    intent["amount"] = max(intent["amount"], amount)
    attempts.settle_capture(world, charge, amount)
    rest = charge["amount"] - amount
    is_refunded = rest > 0 and attempts.release(world, charge, rest, None, cause)
    world.store.update(charge)
    world.journal.record("charge.captured", charge, cause, before)
    if is_refunded:
        world.journal.record("charge.refunded", charge, cause, before, cause.api_version)
    intent.update(status="succeeded", amount_received=amount, amount_capturable=0)
    world.store.update(intent)
    world.journal.record("payment_intent.succeeded", intent, cause)
    attempts.follow_payment(world, charge)
    return intent


def cancel(world: World, call: Call) -> JsonObject:
    """Cancel a PaymentIntent that is not final."""
    reason = call.params.choice("cancellation_reason", CANCELLATION_REASONS)
    return cancel_intent(world, retrieve(world, call), reason, call.cause)


def cancel_intent(world: World, intent: JsonObject, reason: str | None, cause: Cause) -> JsonObject:
    """Cancel an intent and release its authorization.

    Raises:
        StateError: it is final.
    """
    if intent["status"] not in _CANCELABLE:
        raise _unexpected(
            intent,
            f"You cannot cancel this PaymentIntent because it has a status of {intent['status']}."
            " Only a PaymentIntent with one of the following statuses may be canceled:"
            f" {', '.join(_CANCELABLE)}.",
        )
    if intent["status"] == "requires_capture":
        expired = reason == "automatic"
        charge = world.store.get("charge", intent["latest_charge"])
        before = dict(charge)
        why = "expired_uncaptured_charge" if expired else None
        is_refunded = attempts.release(world, charge, charge["amount"], why, cause)
        world.store.update(charge)
        if expired:
            world.journal.record("charge.expired", charge, cause, before)
        if is_refunded:
            world.journal.record("charge.refunded", charge, cause, before, cause.api_version)
    intent.update(
        status="canceled",
        amount_capturable=0,
        canceled_at=world.clock.seconds(),
        cancellation_reason=reason,
        next_action=None,
    )
    world.store.update(intent)
    world.journal.record("payment_intent.canceled", intent, cause)
    return intent


def expire_authorization(world: World, intent_id: str, cause: Cause) -> None:
    """Cancel an intent if its authorization has expired."""
    intent = world.store.get("payment_intent", intent_id)
    if intent["status"] == "requires_capture":
        cancel_intent(world, intent, "automatic", cause)


def _confirm(world: World, intent: JsonObject, params: Params, cause: Cause) -> None:
    absent = params.text("off_session") not in (None, "false")
    unattended = absent or params.boolean("error_on_requires_action") or False
    attempts.confirm(
        world, intent, cause, unattended=unattended, return_url=params.text("return_url")
    )


def _unexpected(intent: JsonObject, message: str) -> StateError:
    return StateError(
        message, code="payment_intent_unexpected_state", details={"payment_intent": intent}
    )
