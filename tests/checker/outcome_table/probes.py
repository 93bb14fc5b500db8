"""One input of each kind for a payment, later or earlier than all facts that are known about it."""

from collections.abc import Iterator
from itertools import product

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
    canceled,
    capture,
    confirm,
    create,
    dispute_fact,
    failed,
    fraud_warning,
    key,
    payment_fact,
    received,
    refund,
    refund_fact,
    refused,
    requested_refund_fact,
)

#: Seconds before and after every fact of every history.
EARLIER, LATER = -1, 90 * EXPIRY
_EVENT = "evt_probe"
#: A kind of input as the page names it, and one such input.
Probe = tuple[str, Input]


def commands() -> Iterator[Probe]:
    """Yield a command of each kind."""
    yield "create, again", received(create())
    yield "create, another body", received(create(fingerprint="fp_other"))
    yield "confirm", received(confirm("op_probe"))
    yield "capture", received(capture("all", "op_probe"))
    yield "cancel", received(cancel("op_probe"))
    yield "cancel, expired", received(cancel("op_probe", expired=True), EXPIRY)
    yield "refund", received(refund("re_probe"))
    yield "of another tenant", received(cancel("op_probe", tenant="another"))


def payment_facts(payment: Payment | None, second: int) -> Iterator[Probe]:
    """Yield a fact about the provider's object in each of its statuses.

    A failed attempt is only tried as the later fact: an earlier one's effect depends on the attempt
    that failed, and the searched histories cover that.
    """
    object_id = _object_of(payment)
    for status in ProviderStatus:
        fact = payment_fact(status, second, object_id=object_id, event_id=_EVENT)
        match status:
            case ProviderStatus.ATTEMPT_FAILED:
                if second == LATER:
                    yield from _failures(payment, object_id)
            case ProviderStatus.SUCCEEDED:
                amount = captured(payment) if payment is not None else 0
                yield str(status), received(replace(fact, captured=amount or fact.captured))
            case ProviderStatus.CANCELED:
                for cause in (*CancelCause, None):
                    said = canceled(second, cause, object_id=object_id, event_id=_EVENT)
                    yield f"{status}, {cause or 'cause not named'}", received(said)
            case ProviderStatus.OPEN:
                yield str(status), received(fact)
                if second == LATER:
                    echo = replace(fact, caused_by=key("create"))
                    yield f"{status}, echoing our create", received(echo)
            case _:
                yield str(status), received(fact)


def _failures(payment: Payment | None, object_id: str) -> Iterator[Probe]:
    """Yield the fact that an attempt failed, by whether another attempt is left."""
    why = Failure("probe", "unlike any other")
    fact = failed("at_probe", LATER, object_id=object_id, event_id=_EVENT, failure=why)
    is_last = payment is not None and len(failures(payment.facts)) + 1 >= payment.max_attempts
    if payment is None or not is_last:
        yield "attempt_failed, another left", received(fact)
    if payment is None or is_last:
        yield "attempt_failed, the last", received(fact)


def refund_facts(payment: Payment | None, refund: RefundRecord, second: int) -> list[Probe]:
    """Return a fact about a refund in each status; for a requested one it names our call."""
    reported = refund_fact if refund.requested is None else requested_refund_fact
    changes = {"object_id": _object_of(payment), "event_id": _EVENT}
    probes = []
    for status in RefundStatus:
        fact = reported(refund.id, status, second, refund.amount, **changes)
        if refund.reported is not None:
            fact = replace(fact, ref=refund.reported.ref, refund_id=refund.reported.id)
        probes.append((str(status), received(fact)))
    return probes


def new_refund_facts(payment: Payment | None) -> list[Probe]:
    """Return the first fact about a refund that was not requested, in each status."""
    return [
        (
            "refund",
            received(
                refund_fact(
                    "re_probe", status, LATER, 100, object_id=_object_of(payment), event_id=_EVENT
                )
            ),
        )
        for status in RefundStatus
    ]


def totals(payment: Payment | None, *seconds: int) -> Iterator[Probe]:
    """Yield reports of what was given back in all, of some money and of none, at these seconds."""
    for second, amount in product(seconds, (100, 0)):
        fact = refund_fact(
            "re_total", RefundStatus.SUCCEEDED, second, amount,
            object_id=_object_of(payment), event_id=_EVENT, is_total=True, may_be_release=True,
        )  # fmt: skip
        when = "later" if second == LATER else "earlier"
        yield f"{when}{'' if amount else ', of 0'}", received(fact)


def dispute_facts(payment: Payment | None, dispute_id: str, second: int) -> list[Probe]:
    """Return a fact about a dispute in each of its statuses."""
    changes = {"object_id": _object_of(payment), "event_id": _EVENT}
    appeals = (DisputeStatus.NEEDS_RESPONSE, DisputeStatus.UNDER_REVIEW)
    return [
        *(
            (str(status), received(dispute_fact(dispute_id, status, second, **changes)))
            for status in DisputeStatus
        ),
        *(
            (
                f"{status}, an appeal",
                received(dispute_fact(dispute_id, status, second, appeal=True, **changes)),
            )
            for status in appeals
        ),
    ]


def fraud_warnings(payment: Payment | None) -> Iterator[Probe]:
    """Yield a bank's first warning, on which somebody can act or not."""
    for actionable in (True, False):
        fact = fraud_warning(
            "fw_probe", LATER, actionable=actionable,
            object_id=_object_of(payment), event_id=_EVENT,
        )  # fmt: skip
        yield "fraud warning", received(fact)


def results(payment: Payment | None, call: str) -> Iterator[Probe]:
    """Yield each result that a call may have."""
    result = acknowledged(call)
    if result.operation != "refund":
        result = replace(result, object_id=_object_of(payment))
    yield "acknowledged", received(result)
    yield "refused", received(refused(call))


def first_facts(payment: Payment | None) -> Iterator[Probe]:
    """Yield the first fact about refunds, a dispute or a warning, and events of no effect."""
    yield from new_refund_facts(payment)
    yield from (("total of refunds", fact) for _, fact in totals(payment, LATER))
    yield from (("dispute", fact) for _, fact in dispute_facts(payment, "dp_probe", LATER))
    yield from fraud_warnings(payment)
    for unknown in (False, True):
        forms = {"unknown_status": unknown, "unread_version": unknown, "other_form": unknown}
        unmodelled = Unmodelled(_EVENT, "customer.updated", "it moves no money", **forms)
        yield "no effect", received(unmodelled)
    yield "of another account", received(Foreign(_EVENT, "customer.updated", "it is of acct_2"))


def _object_of(payment: Payment | None) -> str:
    return (payment.object_id if payment is not None else None) or OBJECT
