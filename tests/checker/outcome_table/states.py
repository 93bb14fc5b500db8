"""The table's rows: states of payments, calls, refunds and disputes whose outcomes differ."""

from collections.abc import Iterator

from domain.facts.cancels import awaits_answer, known_cause
from domain.facts.join import failures
from domain.facts.refunds import RefundRecord, unproven_refund
from domain.inputs import RefundFact
from domain.payment import Dispute, Payment
from domain.status import CancelCause, RefundStatus, Status
from domain.transitions import is_final
from domain.view import (
    exhausted,
    failure_of,
    has_failed,
    live_fact,
    refundable,
    started_attempts,
)

#: The row of an input whose payment does not exist yet.
NOT_HERE = "not here yet"
_UNKNOWN = (
    "{0} is new: describe in outcome_table/states.py which payments belong to it, and "
    "add a history that brings one there to tests/domain/histories"
)


def of_payment(payment: Payment) -> str:
    """Return a payment's row, which begins with its status."""
    return f"{_of_status(payment)}{_last_cancel(payment)}"


def _of_status(payment: Payment) -> str:
    cancelling = ", cancelling" if payment.cancel is not None else ""
    status = payment.status
    match status:
        case Status.CREATED:
            return f"{status}{cancelling}"
        case Status.PROCESSING:
            return f"{status}{_processing(payment)}{cancelling}"
        case Status.REQUIRES_ACTION:
            return f"{status}, {_awaited(payment)} awaited{_whose_attempt(payment)}{cancelling}"
        case Status.AUTHORIZED:
            in_flight = payment.capture is not None and payment.capture.refusal is None
            return f"{status}{', capturing' if in_flight else ''}{cancelling}"
        case Status.SUCCEEDED:
            if unproven_refund(payment) is not None:
                return f"{status}, a refund's result awaited"
            return f"{status}{'' if refundable(payment) > 0 else ', nothing left to refund'}"
        case Status.FAILED if payment.create_refusal is None:
            named = "" if known_cause(payment) is not None else ", which no report names"
            return f"{status}, attempts used up{named}"
        case Status.FAILED:
            return f"{status}, refused"
        case Status.CANCELED:
            return f"{status}{_canceled(payment)}"
    raise AssertionError(_UNKNOWN.format(status))


def _processing(payment: Payment) -> str:
    if live_fact(payment) is not None:
        return ""
    if exhausted(payment):
        return ", attempts used up"
    return ", next attempt in flight" if failures(payment.facts) else ", no facts yet"


def _awaited(payment: Payment) -> str:
    return "payment method" if live_fact(payment) is None else "customer"


def _whose_attempt(payment: Payment) -> str:
    """Return whose attempt the customer is awaited in, after the first one."""
    if not failures(payment.facts) or live_fact(payment) is None:
        return ""
    if not all(has_failed(payment, each) for each in started_attempts(payment)):
        return ", in our next attempt"
    are_used_up = len(failures(payment.facts)) >= payment.max_attempts
    return f", in somebody else's attempt{' after ours are used up' if are_used_up else ''}"


def _last_cancel(payment: Payment) -> str:
    """Return what is known of our own cancel; it decides what a cancel without a cause means."""
    if f"{payment.id}:cancel:exhausted" not in payment.calls:
        return ""
    if awaits_answer(payment):
        return ", our own cancel awaited"
    if is_final(payment.status):
        # without that call, a report that carries its key is somebody else's cancel
        return ", our own cancel requested too" if payment.status is Status.CANCELED else ""
    return f", our own cancel {'refused' if payment.last_cancel_refused else 'acknowledged'}"


def _canceled(payment: Payment) -> str:
    after = ", after a failure" if failure_of(payment) is not None else ""
    if not after and failures(payment.facts):
        after = ", in an attempt after a failure"
    by = {CancelCause.REQUESTED: " as requested", None: " by a call that no report names"}
    return by.get(known_cause(payment), " by the provider") + after


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


def of_total(total: RefundFact) -> str:
    """Return the row of what is known to be refunded in all: a total of 0 counts nothing."""
    return "a total" if total.amount else "a total of 0"


def of_dispute(dispute: Dispute) -> str:
    """Return a dispute's row: its status, and whether it is that of an appeal."""
    return f"{dispute.fact.status}{', an appeal' if dispute.fact.appeal else ''}"
