"""The entry point: what one input does to one payment. Pure; the caller stores the decision."""

from typing import assert_never

from domain.decision import Decision, unchanged
from domain.inputs import (
    CallResult,
    Cancel,
    Capture,
    Command,
    Confirm,
    Create,
    DisputeFact,
    Foreign,
    FraudWarningFact,
    Input,
    PaymentFact,
    Refund,
    RefundFact,
    Release,
    Unmodelled,
)
from domain.limits import exceeded
from domain.on_command import on_command, on_create
from domain.on_fact import on_fact
from domain.on_result import on_result
from domain.operations.changes import with_changes
from domain.payment import Payment
from domain.status import Outcome, RejectionCode


def decide(payment: Payment | None, input_: Input, payment_id: str) -> Decision:
    """Returns the decision on ``input_``; ``payment`` is None where it does not exist yet.

    Total: in every state, every input has exactly one outcome. Callers deduplicate by event ID
    first. An input that is decided twice nevertheless is stale or a duplicate the second time, and
    never applied twice. Raises AssertionError where the body is of no known type.
    """
    decision = _within_limits(payment, input_, _decide(payment, input_, payment_id))
    return with_changes(payment, input_, decision, payment_id)


def _within_limits(payment: Payment | None, input_: Input, decision: Decision) -> Decision:
    after = decision.payment
    if after is None or after is payment:
        return decision
    why = exceeded(payment, after)
    if why is None:
        return decision
    # a client can be refused; a provider's fact must not be lost, so it waits for an operator
    if isinstance(input_.body, Command):
        return unchanged(payment, Outcome.REJECTED, why, RejectionCode.LIMIT_REACHED)
    return unchanged(payment, Outcome.QUARANTINED, why)


def leaves_id_free(body: object) -> bool:
    """Whether another form of the same event may be read, and have an effect: this one has none."""
    if isinstance(body, Unmodelled):
        return body.unknown_status or body.unread_version or body.other_form
    return isinstance(body, Foreign)


def _decide(payment: Payment | None, input_: Input, payment_id: str) -> Decision:
    body, at = input_.body, input_.received_at
    match body:
        case Unmodelled() | Foreign():
            reason = f"{body.kind}: {body.why}"
            refused = leaves_id_free(body)
            return Decision(
                outcome=Outcome.IGNORED, reason=reason, payment=payment, refused=refused
            )
        case Create():
            return on_create(payment, body, payment_id, at)
        case Confirm() | Capture() | Cancel() | Refund():
            return on_command(payment, body, at)
        case CallResult():
            return on_result(payment, body, at)
        case Release():
            return unchanged(payment, Outcome.REJECTED, "the payment is not quarantined")
        case PaymentFact() | RefundFact() | DisputeFact() | FraudWarningFact() if payment is None:
            return unchanged(None, Outcome.PARKED, "its payment does not exist yet")
        case PaymentFact() | RefundFact() | DisputeFact() | FraudWarningFact():
            return on_fact(payment, body, at)
        case _:
            assert_never(body)
