"""What parked inputs wait for: the payment, proof of its object, or an answer to our own cancel."""

from domain.facts.binding import awaits_object, may_identify_object
from domain.facts.cancels import awaits_answer, is_answer
from domain.inputs import Create, Input, Release
from domain.payment import Payment


def may_end_wait(payment_id: str, input_: Input) -> bool:
    """Whether the input may bring what parked inputs wait for."""
    body = input_.body
    return (
        isinstance(body, Create | Release)
        or may_identify_object(payment_id, input_)
        or is_answer(payment_id, body)
    )


def ends_wait(before: Payment | None, after: Payment) -> bool:
    """Whether this change of the payment ends a wait, so that parked inputs are taken up."""
    if before is None:
        return True
    found = awaits_object(before) and not awaits_object(after)
    return found or (awaits_answer(before) and not awaits_answer(after))
