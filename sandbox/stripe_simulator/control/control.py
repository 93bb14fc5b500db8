"""Actions of the customer, the bank, the Dashboard and the provider, triggered by a request."""

from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.stripe_simulator.api.directory import Directory
from sandbox.stripe_simulator.control.control_http import BodyT, read_body, with_json_errors
from sandbox.stripe_simulator.errors import ResourceMissingError, StateError
from sandbox.stripe_simulator.events import Cause
from sandbox.stripe_simulator.objects import (
    attempts,
    disputes,
    fraud_warnings,
    payment_intents,
    refunds,
)
from sandbox.stripe_simulator.objects.payment_methods import DisputeCourse
from sandbox.stripe_simulator.storage.types import JsonObject
from sandbox.stripe_simulator.timers import Timers
from sandbox.stripe_simulator.world import World


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class CompleteAction(_Body):
    """How the customer's authentication ends."""

    outcome: Literal["succeed", "fail"]


_Currency = Annotated[str, Field(pattern="^[a-z]{3}$")]


class SettleIn(_Body):
    """The balance on which a dispute's money moves.

    The rate is the balance's minor units for one minor unit of the disputed amount.
    """

    currency: _Currency
    rate: Annotated[float, Field(gt=0, allow_inf_nan=False)]


class OpenDispute(_Body):
    """A dispute to open; of the captured amount unless another is given."""

    amount: Annotated[int, Field(gt=0)] | None = None
    currency: _Currency | None = None
    settlement: SettleIn | None = None
    status: Literal[
        "needs_response", "under_review", "warning_needs_response", "warning_under_review"
    ] = "needs_response"
    reason: str = "fraudulent"


class CloseDispute(_Body):
    """How a dispute ends."""

    status: Literal["won", "lost", "warning_closed", "prevented"]


class UpdateDispute(_Body):
    """A status in which a dispute is open."""

    status: Literal[
        "needs_response",
        "under_review",
        "warning_needs_response",
        "warning_under_review",
        "appeal_needs_response",
        "appeal_under_review",
    ]


class AdjustDispute(_Body):
    """A correction of the money that moved; negative takes it from the balance."""

    amount: int


class WarnOfFraud(_Body):
    """What the bank warns of."""

    fraud_type: fraud_warnings.FraudType = "unauthorized_use_of_card"


class DashboardRefund(_Body):
    """A manual refund; of the remaining amount unless another is given."""

    amount: Annotated[int, Field(gt=0)] | None = None


class DashboardCapture(_Body):
    """A manual capture, which may be of more than is authorized."""

    amount: Annotated[int, Field(gt=0)]


class SettleRefund(_Body):
    """A refund's final status."""

    status: Literal["succeeded", "failed", "canceled", "requires_action"]


class CancelByProvider(_Body):
    """Why the provider cancels."""

    cancellation_reason: Literal["automatic", "fraudulent", "abandoned"] = "automatic"


class AdvanceClock(_Body):
    """How far to move the clock."""

    advance_seconds: Annotated[float, Field(ge=0)]


class UpgradeAccount(_Body):
    """The account's new default API version."""

    api_version: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}(\.[a-z]+)?$")]


class Nothing(_Body):
    """An empty body."""


def control_routes(directory: Directory, timers: Timers) -> list[Route]:
    """The routes of the actions under ``/_control``; ``?account=acct_x`` names another account."""
    clock = directory.default.world.clock

    def act(
        path: str, model: type[BodyT], action: Callable[[World, str, BodyT, Cause], JsonObject]
    ) -> Route:
        async def endpoint(request: Request) -> Response:
            body = await read_body(request, model)
            resident = directory.named(request)
            world = resident.world
            world.journal.take_due()
            with world.store.transaction():
                identity = f"control {request.url.path}"
                cause = world.cause(f"{identity} {world.store.count(identity)}")
                result = action(world, str(request.path_params["id"]), body, cause)
            resident.sender.release(world.journal.take_due())
            return JSONResponse(result)

        return Route(path, with_json_errors(endpoint), methods=["POST"])

    async def advance(request: Request) -> Response:
        body = await read_body(request, AdvanceClock)
        fired = timers.advance(body.advance_seconds)
        return JSONResponse({"now": clock.now(), "fired": fired})

    async def upgrade(request: Request) -> Response:
        body = await read_body(request, UpgradeAccount)
        world = directory.named(request).world
        world.journal.upgrade_account(body.api_version)
        return JSONResponse({"api_version": world.journal.account_version})

    return [
        Route("/_control/clock", with_json_errors(advance), methods=["POST"]),
        Route("/_control/account", with_json_errors(upgrade), methods=["POST"]),
        act("/_control/payment_intents/{id}/complete_action", CompleteAction, complete_action),
        act("/_control/payment_intents/{id}/dispute", OpenDispute, open_dispute),
        act("/_control/payment_intents/{id}/capture", DashboardCapture, capture),
        act("/_control/payment_intents/{id}/refund", DashboardRefund, refund),
        act("/_control/payment_intents/{id}/fraud_warning", WarnOfFraud, warn_of_fraud),
        act("/_control/payment_intents/{id}/cancel", CancelByProvider, cancel),
        act("/_control/disputes/{id}/close", CloseDispute, close_dispute),
        act("/_control/disputes/{id}/update", UpdateDispute, update_dispute),
        act("/_control/disputes/{id}/adjust", AdjustDispute, adjust_dispute),
        act("/_control/disputes/{id}/withdraw", Nothing, withdraw_funds),
        act("/_control/disputes/{id}/reinstate", Nothing, reinstate_funds),
        act("/_control/refunds/{id}/settle", SettleRefund, settle_refund),
        act("/_control/events/{id}/resend", Nothing, resend),
    ]


def complete_action(world: World, intent_id: str, body: CompleteAction, cause: Cause) -> JsonObject:
    """The customer passes authentication or fails it."""
    intent = world.require("payment_intent", intent_id, param="id")
    if intent["status"] != "requires_action":
        raise StateError(
            f"PaymentIntent {intent_id} has a status of {intent['status']}; the customer has"
            " nothing to do.",
            code="payment_intent_unexpected_state",
        )
    attempts.complete_action(world, intent, body.outcome, cause)
    return intent


def open_dispute(world: World, intent_id: str, body: OpenDispute, cause: Cause) -> JsonObject:
    """The cardholder disputes a payment."""
    inquiry = body.status.startswith("warning_")
    course = DisputeCourse(body.reason, body.status, "10" if inquiry else "10.4")
    charge = _charge_of(world, intent_id)
    settled = body.settlement
    settlement = disputes.Settlement(settled.currency, settled.rate) if settled else None
    return disputes.open_dispute(
        world,
        charge,
        cause,
        course=course,
        amount=body.amount,
        currency=body.currency,
        settlement=settlement,
    )


def warn_of_fraud(world: World, intent_id: str, body: WarnOfFraud, cause: Cause) -> JsonObject:
    """The bank warns that a payment may be fraudulent."""
    return fraud_warnings.warn(world, _charge_of(world, intent_id), body.fraud_type, cause)


def refund(world: World, intent_id: str, body: DashboardRefund, cause: Cause) -> JsonObject:
    """A Dashboard user refunds a payment; the refund has no metadata."""
    return refunds.refund_charge(world, _charge_of(world, intent_id), cause, amount=body.amount)


def capture(world: World, intent_id: str, body: DashboardCapture, cause: Cause) -> JsonObject:
    """A Dashboard user captures an authorized payment."""
    intent = world.require("payment_intent", intent_id, param="id")
    if intent["status"] != "requires_capture":
        raise StateError(f"PaymentIntent {intent_id} has a status of {intent['status']}.")
    return payment_intents.capture_intent(world, intent, body.amount, cause)


def cancel(world: World, intent_id: str, body: CancelByProvider, cause: Cause) -> JsonObject:
    """The provider cancels a payment on its own."""
    intent = world.require("payment_intent", intent_id, param="id")
    return payment_intents.cancel_intent(world, intent, body.cancellation_reason, cause)


def close_dispute(world: World, dispute_id: str, body: CloseDispute, cause: Cause) -> JsonObject:
    """The bank decides a dispute."""
    return disputes.close(world, _dispute(world, dispute_id), body.status, cause)


def update_dispute(world: World, dispute_id: str, body: UpdateDispute, cause: Cause) -> JsonObject:
    """A dispute changes its status and is open."""
    return disputes.change_status(world, _dispute(world, dispute_id), body.status, cause)


def adjust_dispute(world: World, dispute_id: str, body: AdjustDispute, cause: Cause) -> JsonObject:
    """The money that moved is corrected."""
    return disputes.adjust(world, _dispute(world, dispute_id), body.amount, cause)


def withdraw_funds(world: World, dispute_id: str, _: Nothing, cause: Cause) -> JsonObject:
    """The disputed amount is withdrawn."""
    return disputes.move_funds(world, _dispute(world, dispute_id), "withdraw", cause)


def reinstate_funds(world: World, dispute_id: str, _: Nothing, cause: Cause) -> JsonObject:
    """The disputed amount is reinstated."""
    return disputes.move_funds(world, _dispute(world, dispute_id), "reinstate", cause)


def settle_refund(world: World, refund_id: str, body: SettleRefund, cause: Cause) -> JsonObject:
    """A refund succeeds, fails, is canceled or waits for the customer."""
    found = world.require("refund", refund_id, param="id")
    return refunds.settle(world, found, body.status, cause)


def resend(world: World, event_id: str, _: Nothing, cause: Cause) -> JsonObject:
    """Send an event again to every endpoint that was to receive it."""
    del cause  # no new event occurs
    row = world.store.row("select seq from events where id = ?", (event_id,))
    if row is None:
        raise ResourceMissingError("event", event_id, param="id", in_path=True)
    endpoints = world.store.rows(
        "select distinct endpoint from deliveries where event_seq = ?", (row[0],)
    )
    for (endpoint_id,) in endpoints:
        world.journal.plan_resend(row[0], endpoint_id)
    return {"event": event_id, "endpoints": [endpoint_id for (endpoint_id,) in endpoints]}


def _charge_of(world: World, intent_id: str) -> JsonObject:
    intent = world.require("payment_intent", intent_id, param="id")
    if intent["latest_charge"] is None:
        raise StateError(f"PaymentIntent {intent_id} has no charge.")
    return world.store.get("charge", intent["latest_charge"])


def _dispute(world: World, dispute_id: str) -> JsonObject:
    return world.require("dispute", dispute_id, param="id")
