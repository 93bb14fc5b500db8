"""Builds the inputs of one payment: the same payment, object and amount, unless changed."""

from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec.structs import replace

from domain.call_key import Operation
from domain.inputs import (
    ALL,
    All,
    CallResult,
    Cancel,
    Capture,
    Command,
    Confirm,
    Create,
    DisputeFact,
    Fact,
    Failure,
    FraudWarningFact,
    Input,
    Movement,
    PaymentFact,
    Refund,
    RefundFact,
)
from domain.status import CancelCause, DisputeStatus, MovementKind, ProviderStatus, RefundStatus

#: A valid payment ID, so that the same histories go through Postgres.
PAYMENT = "pay_" + "a" * 30
OBJECT = "obj_1"
TENANT = "shop"
PROVIDER = "psp"
AMOUNT = 1000
CURRENCY = "EUR"
DECLINED = Failure("declined", "the bank said no")

_BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
#: Seconds after which a payment nobody acted on expires.
EXPIRY = 86_400


def at(second: int) -> datetime:
    """Return the time this many seconds after the beginning of the history."""
    return _BEGINNING + timedelta(seconds=second)


def key(operation: str) -> str:
    """Return the idempotency key of this payment's call, such as ``create`` or ``confirm:2``."""
    return f"{PAYMENT}:{operation}"


def create(**changes: Any) -> Create:
    """Return the command that creates the payment: automatic capture, one attempt."""
    command = Create(
        tenant=TENANT,
        operation_id="op_create",
        fingerprint="fp_create",
        provider=PROVIDER,
        amount=AMOUNT,
        currency=CURRENCY,
        payment_method="card_1",
        capture_method="automatic",
        max_attempts=1,
        return_url="https://shop.example/back",
        description=None,
        metadata={},
        expires_at=at(EXPIRY),
    )
    return replace(command, **changes)


def confirm(operation: str = "op_confirm", **changes: Any) -> Confirm:
    """Return the command to try again with another payment method."""
    return replace(Confirm(TENANT, operation, f"fp_{operation}", "card_2"), **changes)


def capture(amount: int | All = ALL, operation: str = "op_capture", **changes: Any) -> Capture:
    """Return the command to capture this amount, or all."""
    return replace(Capture(TENANT, operation, f"fp_{operation}", amount), **changes)


def cancel(operation: str = "op_cancel", *, expired: bool = False, **changes: Any) -> Cancel:
    """Return the command to cancel."""
    return replace(Cancel(TENANT, operation, f"fp_{operation}", expired), **changes)


def refund(refund_id: str = "re_1", amount: int | All = ALL, **changes: Any) -> Refund:
    """Return the command to refund this amount, or all that is left."""
    operation = f"op_{refund_id}"
    return replace(
        Refund(
            tenant=TENANT,
            operation_id=operation,
            fingerprint=f"fp_{operation}",
            refund_id=refund_id,
            amount=amount,
            reason=None,
        ),
        **changes,
    )


def payment_fact(status: ProviderStatus, second: int, **changes: Any) -> PaymentFact:
    """Return a fact about the payment's object at that second."""
    fact = PaymentFact(
        event_id=f"evt_{status}_{second}",
        occurred_at=at(second),
        object_id=OBJECT,
        status=status,
        amount=AMOUNT,
        currency=CURRENCY,
        captured=AMOUNT if status is ProviderStatus.SUCCEEDED else 0,
    )
    return replace(fact, **changes)


def failed(attempt: str | None, second: int, **changes: Any) -> PaymentFact:
    """Return the fact that this attempt failed; None: the provider has no name for it."""
    fact = payment_fact(
        ProviderStatus.ATTEMPT_FAILED, second, attempt_ref=attempt, failure=DECLINED
    )
    return replace(fact, **changes)


#: The call that cancels for each cause; the provider's own cancel names no call of ours.
_CANCEL_CALLS = {
    CancelCause.ATTEMPTS_EXHAUSTED: "cancel:exhausted",
    CancelCause.REQUESTED: "cancel:1",
}


def canceled(second: int, cause: CancelCause | None, **changes: Any) -> PaymentFact:
    """Return the fact that the object was cancelled; without a cause, it does not say by whom."""
    call = _CANCEL_CALLS.get(cause) if cause is not None else None
    said = {"caused_by": key(call) if call is not None else None, "names_cause": cause is not None}
    return payment_fact(ProviderStatus.CANCELED, second, **{**said, **changes})


def refund_fact(
    refund_id: str, status: RefundStatus, second: int, amount: int, **changes: Any
) -> RefundFact:
    """Return a fact about a refund at that second."""
    fact = RefundFact(
        event_id=f"evt_{refund_id}_{status}_{second}",
        occurred_at=at(second),
        object_id=OBJECT,
        ref=f"psp_{refund_id}",
        refund_id=refund_id,
        status=status,
        amount=amount,
        currency=CURRENCY,
    )
    return replace(fact, **changes)


def requested_refund_fact(
    refund_id: str, status: RefundStatus, second: int, amount: int, **changes: Any
) -> RefundFact:
    """Return a fact about a requested refund; it names our call, which proves it."""
    proof = {"claims": refund_id, "caused_by": key(f"refund:{refund_id}")}
    return refund_fact(f"made_{refund_id}", status, second, amount, **{**proof, **changes})


def dispute_fact(
    dispute_id: str, status: DisputeStatus, second: int, **changes: Any
) -> DisputeFact:
    """Return a fact about a dispute over the whole amount at that second."""
    fact = DisputeFact(
        event_id=f"evt_{dispute_id}_{status}_{second}",
        occurred_at=at(second),
        object_id=OBJECT,
        dispute_id=dispute_id,
        status=status,
        amount=AMOUNT,
        currency=CURRENCY,
    )
    return replace(fact, **changes)


def withdrawn(ref: str, amount: int = AMOUNT, currency: str = CURRENCY) -> Movement:
    """Return disputed money that was taken."""
    return Movement(ref, amount, currency, MovementKind.WITHDRAWN)


def reinstated(ref: str, amount: int = AMOUNT, currency: str = CURRENCY) -> Movement:
    """Return disputed money that was given back."""
    return Movement(ref, -amount, currency, MovementKind.REINSTATED)


def adjusted(ref: str, amount: int, currency: str = CURRENCY) -> Movement:
    """Return a correction; a positive amount was given to us."""
    return Movement(ref, -amount, currency, MovementKind.ADJUSTED)


def fraud_warning(
    warning_id: str, second: int, *, actionable: bool = True, **changes: Any
) -> FraudWarningFact:
    """Return a fact about a bank's warning at that second."""
    fact = FraudWarningFact(
        event_id=f"evt_{warning_id}_{actionable}_{second}",
        occurred_at=at(second),
        object_id=OBJECT,
        warning_id=warning_id,
        type="misc",
        actionable=actionable,
    )
    return replace(fact, **changes)


def acknowledged(operation: str = "create") -> CallResult:
    """Return the provider's acknowledgement of a call, such as ``create`` or ``confirm:2``."""
    name, _, number = operation.partition(":")
    made = f"psp_made_{number}" if name == "refund" else OBJECT
    return CallResult(key(operation), Operation(name), made, None)


def refused(operation: str) -> CallResult:
    """Return the provider's definite refusal of a call, such as ``create`` or ``confirm:2``."""
    name, _, _ = operation.partition(":")
    return CallResult(key(operation), Operation(name), None, DECLINED)


def received(body: Command | Fact | CallResult, second: int = EXPIRY - 1) -> Input:
    """Return this body as an input that we received at that second."""
    match body:
        case CallResult():
            event_id = f"res_{body.call_key}"
        case Create() | Confirm() | Capture() | Cancel() | Refund():
            event_id = f"cmd_{body.operation_id}_{body.fingerprint}"
        case _:
            event_id = body.event_id
    return Input(event_id, at(second), body)
