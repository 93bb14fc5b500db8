"""One input of each kind for a payment, later or earlier than all that is known of it."""

from collections.abc import Iterator

from msgspec.structs import replace

from domain.facts.join import failures
from domain.facts.refunds import RefundRecord
from domain.inputs import Failure, Foreign, Input, Unmodelled
from domain.payment import Payment
from domain.status import CancelCause, DisputeStatus, ProviderStatus, RefundStatus
from domain.view import captured
from tests.domain.histories.builders import (
    EXPIRY,
    OBJECT,
    acknowledged,
    cancel,
    capture,
    confirm,
    create,
    dispute_said,
    failed,
    key,
    our_refund_said,
    received,
    refund,
    refund_said,
    refused,
    said,
)

#: Seconds before and after every fact of every history.
EARLIER, LATER = -1, 90 * EXPIRY
_EVENT = "evt_probe"
#: A kind of input as the page names it, and one such input.
Probe = tuple[str, Input]


def commands() -> Iterator[Probe]:
    """Give a command of each kind."""
    yield "create, again", received(create())
    yield "create, another body", received(create(fingerprint="fp_other"))
    yield "confirm", received(confirm("op_probe"))
    yield "capture", received(capture(None, "op_probe"))
    yield "cancel", received(cancel("op_probe"))
    yield "cancel, expired", received(cancel("op_probe", expired=True), EXPIRY)
    yield "refund", received(refund("re_probe"))
    yield "of another tenant", received(cancel("op_probe", tenant="another"))


def payment_facts(payment: Payment | None, second: int) -> Iterator[Probe]:
    """Give a fact about the provider's object in each of its statuses.

    A failed attempt is only tried as the later fact: the effect of a late one depends on the
    attempt that it ends, and the searched histories cover that.
    """
    object_id = _object_of(payment)
    for status in ProviderStatus:
        fact = said(status, second, object_id=object_id, event_id=_EVENT)
        match status:
            case ProviderStatus.ATTEMPT_FAILED:
                if second == LATER:
                    yield from _failures(payment, object_id)
            case ProviderStatus.SUCCEEDED:
                amount = captured(payment) if payment is not None else 0
                yield str(status), received(replace(fact, captured=amount or fact.captured))
            case ProviderStatus.CANCELED:
                for cause in CancelCause:
                    yield f"{status}, {cause}", received(replace(fact, cancel_cause=cause))
            case ProviderStatus.OPEN:
                yield str(status), received(fact)
                if second == LATER:
                    ours = replace(fact, caused_by=key("create"))
                    yield f"{status}, echoing our create", received(ours)
            case _:
                yield str(status), received(fact)


def _failures(payment: Payment | None, object_id: str) -> Iterator[Probe]:
    """Give the word that an attempt failed, by whether that leaves another one."""
    why = Failure("probe", "unlike any other")
    fact = failed("at_probe", LATER, object_id=object_id, event_id=_EVENT, failure=why)
    is_last = payment is not None and len(failures(payment.facts)) + 1 >= payment.max_attempts
    if payment is None or not is_last:
        yield "attempt_failed, another left", received(fact)
    if payment is None or is_last:
        yield "attempt_failed, the last", received(fact)


def refund_facts(payment: Payment | None, refund: RefundRecord, second: int) -> list[Probe]:
    """Give the provider's word on a refund in each of its states; of ours, naming our call."""
    reported = refund_said if refund.requested is None else our_refund_said
    changes = {"object_id": _object_of(payment), "event_id": _EVENT}
    probes = []
    for status in RefundStatus:
        fact = reported(refund.id, status, second, refund.amount, **changes)
        if refund.reported is not None:
            fact = replace(fact, ref=refund.reported.ref, refund_id=refund.reported.id)
        probes.append((str(status), received(fact)))
    return probes


def new_refund_facts(payment: Payment | None) -> list[Probe]:
    """Give the provider's first word on a refund that nobody asked for, in each state."""
    return [
        (
            "refund",
            received(
                refund_said(
                    "re_probe", status, LATER, 100, object_id=_object_of(payment), event_id=_EVENT
                )
            ),
        )
        for status in RefundStatus
    ]


def dispute_facts(payment: Payment | None, dispute_id: str, second: int) -> list[Probe]:
    """Give the provider's word on a dispute in each of its states."""
    changes = {"object_id": _object_of(payment), "event_id": _EVENT}
    return [
        (str(status), received(dispute_said(dispute_id, status, second, **changes)))
        for status in DisputeStatus
    ]


def results(payment: Payment | None, call: str) -> Iterator[Probe]:
    """Give what a call may come to."""
    answer = acknowledged(call)
    if answer.operation != "refund":
        answer = replace(answer, object_id=_object_of(payment))
    yield "acknowledged", received(answer)
    yield "refused", received(refused(call))


def first_words(payment: Payment | None) -> Iterator[Probe]:
    """Give the first word on a refund or a dispute, in each of its states, and one of no effect."""
    yield from new_refund_facts(payment)
    yield from (("dispute", fact) for _, fact in dispute_facts(payment, "dp_probe", LATER))
    yield "no effect", received(Unmodelled(_EVENT, "customer.updated", "it moves no money"))
    yield "of another account", received(Foreign(_EVENT, "customer.updated", "it is of acct_2"))


def _object_of(payment: Payment | None) -> str:
    return (payment.object_id if payment is not None else None) or OBJECT
