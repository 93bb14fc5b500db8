"""The table's rows: the states of payments, calls and refunds among which outcomes differ."""

from collections.abc import Iterator

from domain.facts.join import failures, terminal
from domain.facts.refunds import RefundRecord, unproven_refund
from domain.payment import Payment
from domain.status import CancelCause, RefundStatus, Status
from domain.view import exhausted, failure_of, live_fact, refundable

#: The row of an input whose payment does not exist yet.
NOT_HERE = "not here yet"
_UNKNOWN = (
    "{0} is new: describe in outcome_table/states.py which payments belong to it, and "
    "add a history that brings one there to tests/domain/histories"
)


def of_payment(payment: Payment) -> str:
    """Return a payment's row, which begins with its status."""
    cancelling = ", cancelling" if payment.cancel is not None else ""
    status = payment.status
    match status:
        case Status.CREATED:
            return f"{status}{cancelling}"
        case Status.PROCESSING:
            return f"{status}{_processing(payment)}{cancelling}"
        case Status.REQUIRES_ACTION:
            wanted = "payment method" if live_fact(payment) is None else "customer"
            return f"{status}, {wanted} awaited{cancelling}"
        case Status.AUTHORIZED:
            in_flight = payment.capture is not None and payment.capture.refusal is None
            return f"{status}{', capturing' if in_flight else ''}{cancelling}"
        case Status.SUCCEEDED:
            if unproven_refund(payment) is not None:
                return f"{status}, a refund's result awaited"
            return f"{status}{'' if refundable(payment) > 0 else ', nothing left to refund'}"
        case Status.FAILED:
            return f"{status}, {'refused' if payment.create_refusal else 'attempts used up'}"
        case Status.CANCELED:
            return f"{status}{_canceled(payment)}"
    raise AssertionError(_UNKNOWN.format(status))


def _processing(payment: Payment) -> str:
    if live_fact(payment) is not None:
        return ""
    if exhausted(payment):
        return ", attempts used up"
    return ", next attempt in flight" if failures(payment.facts) else ", no facts yet"


def _canceled(payment: Payment) -> str:
    reported = terminal(payment.facts)
    requested = reported is not None and reported.cancel_cause is CancelCause.REQUESTED
    after = ", after a failure" if failure_of(payment) is not None else ""
    return (" as requested" if requested else " by the provider") + after


def of_calls(payment: Payment) -> Iterator[tuple[str, str]]:
    """Yield each call's name, such as ``confirm:2``, and its row; also one never made."""
    yield "confirm:99", "never made"
    for key in sorted(payment.calls):
        name = key.removeprefix(f"{payment.id}:")
        if name == "create":
            yield name, f"create, {_of_create(payment, key)}"
        else:
            operation, *_ = name.split(":")
            is_finished = key in payment.finished_calls
            yield name, f"{operation}, result {'known' if is_finished else 'awaited'}"


def _of_create(payment: Payment, key: str) -> str:
    if payment.create_refusal is not None:
        return "refused"
    if key in payment.finished_calls:
        return "acknowledged"
    return "nothing known" if payment.object_id is None else "its object known"


def of_refund(refund: RefundRecord) -> str:
    """Return a refund's row: its status, and whether a refund that succeeded was reversed."""
    status = refund.status
    if refund.reported is None:
        refused = refund.requested is not None and refund.requested.refusal is not None
        return f"{status}, refused" if refused else status
    was_given = any(fact.status is RefundStatus.SUCCEEDED for fact in refund.reported.facts)
    came_back = was_given and status is not RefundStatus.SUCCEEDED
    return f"{status}{', reversed' if came_back else ''}"
