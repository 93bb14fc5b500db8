"""What becomes of the operations that clients ask for: each change, derived from the decision.

An operation is one command. It is rejected, or applied; an applied one is done once the
provider has acknowledged the call that it needs, or refused. Whether money moved, facts say, and
the payment shows. A payment can end before the provider was asked: then the operation is refused,
or done if it was a cancel and the payment is CANCELED. An expiry is an operation too: the service
asks for the cancel in its client's name.
"""

from collections.abc import Iterator

from msgspec.structs import replace

from domain.call_key import CallKey, Operation
from domain.decision import Decision, OperationChange
from domain.inputs import CallResult, Cancel, Capture, Command, Confirm, Create, Failure, Input
from domain.payment import OpenOperation, Payment
from domain.status import PAYMENT_ENDED, OperationStatus, Outcome, RejectionCode, Status
from domain.transitions import is_final


def type_of(command: Command) -> Operation:
    """What the command asks for."""
    return Operation(type(command).__name__.lower())


def with_changes(
    before: Payment | None, input_: Input, decision: Decision, payment_id: str
) -> Decision:
    """Returns the decision with what changes of operations, and the payment with the open ones."""
    changes: list[OperationChange] = []
    after = decision.payment
    body = input_.body
    if isinstance(body, Command):
        change = _decided(body, input_, decision)
        if change is not None:
            changes.append(change)
        if decision.outcome is Outcome.APPLIED and after is not None:
            key = _call_of(body, after, payment_id)
            opened = OpenOperation(key.operation, key.name, input_.received_at)
            operations = {**after.open_operations, input_.event_id: opened}
            after = replace(after, open_operations=operations)
    if after is not None and after is not before and after.open_operations:
        ended = list(_ended(after, input_, decision))
        changes += ended
        gone = {change.event_id for change in ended}
        left = {id_: each for id_, each in after.open_operations.items() if id_ not in gone}
        after = replace(after, open_operations=left) if gone else after
    return replace(decision, payment=after, operations=tuple(changes)) if changes else decision


def _decided(command: Command, input_: Input, decision: Decision) -> OperationChange | None:
    """The operation's change by its own command; None if it has none, as for a repetition."""
    match decision.outcome:
        case Outcome.APPLIED:
            status, code = OperationStatus.APPLIED, None
        case Outcome.REJECTED | Outcome.CONFLICT:
            status, code = OperationStatus.REJECTED, decision.code or RejectionCode.WRONG_STATUS
        case _:
            return None
    is_known = decision.payment is not None and decision.payment.tenant == command.tenant
    return OperationChange(
        event_id=input_.event_id,
        type=type_of(command),
        tenant=command.tenant,
        status=status,
        code=code,
        reason=decision.reason,
        version=decision.payment.version if is_known and decision.payment is not None else None,
        refund_id=getattr(command, "refund_id", None),
        received_at=input_.received_at,
        updated_at=input_.received_at,
    )


def _call_of(command: Command, after: Payment, payment_id: str) -> CallKey:
    """The key of the provider call that an applied command needs."""
    match command:
        case Create():
            return CallKey.create(payment_id)
        case Confirm():
            return CallKey.confirm(payment_id, len(after.attempts))
        case Capture():
            return CallKey.capture(payment_id, after.capture.number if after.capture else 1)
        case Cancel():
            return CallKey.cancel(payment_id, after.cancel_refusals + 1)
        case _:
            return CallKey.refund(payment_id, command.refund_id)


def call_of(payment_id: str, operation: OpenOperation) -> str:
    """The key of the provider call that an open operation waits for."""
    return str(CallKey(payment_id, operation.type, operation.name))


def _ended(after: Payment, input_: Input, decision: Decision) -> Iterator[OperationChange]:
    """The changes of open operations that are done or refused now."""
    result = input_.body if isinstance(input_.body, CallResult) else None
    for event_id, operation in after.open_operations.items():
        call = call_of(after.id, operation)
        if result is not None and result.call_key == call:
            yield _end(after, event_id, operation, input_, result.refusal, decision.reason)
        elif is_final(after.status) and call not in after.calls:
            yield _overtaken(after, event_id, operation, input_)


def _overtaken(
    after: Payment, event_id: str, operation: OpenOperation, input_: Input
) -> OperationChange:
    """The end of an operation whose payment ended before the provider was asked."""
    why = f"the payment is {after.status}, and the provider was not asked"
    is_cancel = operation.type is Operation.CANCEL
    is_done = is_cancel and after.status is Status.CANCELED
    refusal = None if is_done else Failure(PAYMENT_ENDED, why)
    return _end(after, event_id, operation, input_, refusal, why)


def _end(
    after: Payment,
    event_id: str,
    operation: OpenOperation,
    input_: Input,
    refusal: Failure | None,
    reason: str,
) -> OperationChange:
    return OperationChange(
        event_id=event_id,
        type=operation.type,
        tenant=after.tenant,
        status=OperationStatus.DONE if refusal is None else OperationStatus.REFUSED,
        code=None if refusal is None else refusal.code,
        reason=reason if refusal is None else refusal.message,
        version=after.version,
        refund_id=operation.name if operation.type is Operation.REFUND else None,
        received_at=operation.received_at,
        updated_at=max(operation.received_at, input_.received_at),
    )
