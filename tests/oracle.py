"""The meaning of a set of inputs: a second, independent specification of a payment's end state.

``meaning_of`` takes all inputs at once and derives the end state from them alone. It shares only
the input types and the enums with ``domain``: where the two disagree, one of them is wrong.
It is meant for the inputs that were *taken in*: rejected inputs and conflicts do not count. Nor
does a fact about an object that is not proven to be this payment's, by the response to our own
create or by an event that carries that call's key. Repeats do no harm. Order matters in one case
only: a confirm follows the failures that were reported before it.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from domain.inputs import (
    CallResult,
    Cancel,
    Capture,
    Create,
    DisputeFact,
    FraudWarningFact,
    Input,
    PaymentFact,
    Refund,
    RefundFact,
)
from domain.status import DisputeStatus, ProviderStatus, Status
from tests.oracle_attempts import (
    Attempt,
    attempts_of,
    first_reports,
    latest_live,
    order,
    with_own_keys,
)
from tests.oracle_disputes import held, last_dispute_fact
from tests.oracle_refunds import RefundMeaning, Refunds, echoed_by, refunds_meaning, single

__all__ = [
    "DisputeMeaning", "Meaning", "RefundMeaning", "cancel_is_requested", "last_dispute_fact",
    "left_to_refund", "meaning_of",
]  # fmt: skip

_LIVE = {
    ProviderStatus.OPEN: Status.PROCESSING,
    ProviderStatus.ACTION_NEEDED: Status.REQUIRES_ACTION,
    ProviderStatus.PENDING: Status.PROCESSING,
    ProviderStatus.AUTHORIZED: Status.AUTHORIZED,
}


@dataclass(frozen=True)
class DisputeMeaning:
    """A dispute's end state.

    ``moved`` has the minor units by currency: withdrawn, reinstated (neither is negative), and
    given to us by corrections (negative if taken).
    """

    status: DisputeStatus
    moved: Mapping[str, tuple[int, int, int]] = field(default_factory=dict)
    appeal: bool = False
    respond_by: datetime | None = None


@dataclass(frozen=True)
class Meaning:
    """A payment's end state. Amounts are minor units of its currency."""

    status: Status
    authorized: int = 0
    captured: int = 0
    refunded: int = 0
    refunds: Mapping[str, RefundMeaning] = field(default_factory=dict)
    disputes: Mapping[str, DisputeMeaning] = field(default_factory=dict)
    #: By the warning's ID: whether anything can be done about it.
    fraud_warnings: Mapping[str, bool] = field(default_factory=dict)


def meaning_of(payment_id: str, taken_in: Iterable[Input]) -> Meaning:
    """Return the end state these inputs mean.

    Args:
        payment_id: the payment's ID, with which the keys of our own calls begin.
        taken_in: its create, the accepted commands, every fact, every result of a call, in the
            order in which they were taken in.

    Raises:
        ValueError: there is not exactly one create among them.
    """
    bodies, own_object = _own(payment_id, taken_in)
    creates = [body for body in bodies if isinstance(body, Create)]
    if len(creates) != 1:
        raise ValueError(f"a payment has exactly one create, here are {len(creates)}")
    results = [body for body in bodies if isinstance(body, CallResult)]
    payment_facts = [body for body in bodies if isinstance(body, PaymentFact)]
    dispute_facts = [b for b in bodies if isinstance(b, DisputeFact) and b.object_id == own_object]
    warnings = [b for b in bodies if isinstance(b, FraudWarningFact) and b.object_id == own_object]
    refused = {result.call_key for result in results if result.refusal is not None}

    acknowledged = {result.call_key for result in results if result.refusal is None}

    status = _final_status(payment_id, payment_facts, refused, acknowledged)
    if status is None:
        status = _unfinished_status(
            attempts_of(payment_id, bodies, refused),
            payment_facts,
            max_attempts=creates[0].max_attempts,
            object_known=own_object is not None,
        )
    captured = _captured(payment_facts) if status is Status.SUCCEEDED else 0
    refunds = _refunds(payment_id, bodies, own_object, status)
    return Meaning(
        status=status,
        authorized=_authorized(status, payment_facts),
        captured=captured,
        # A returned refund and its replacement may be reported in the wrong order, but never is
        # more refunded than was captured.
        refunded=min(refunds.refunded, captured),
        refunds=refunds.each,
        disputes=_disputes(dispute_facts),
        fraud_warnings=_fraud_warnings(warnings),
    )


def left_to_refund(payment_id: str, taken_in: Iterable[Input]) -> int:
    """Return the minor units that can still be refunded after these inputs, as for ``meaning_of``.

    What a refund of all that is left asks for depends on what came before it, so here the order of
    the inputs matters.
    """
    bodies, own_object = _own(payment_id, taken_in)
    facts = [body for body in bodies if isinstance(body, PaymentFact)]
    if all(fact.status is not ProviderStatus.SUCCEEDED for fact in facts):
        return 0
    refunds = _refunds(payment_id, bodies, own_object, Status.SUCCEEDED)
    return _rest(bodies, refunds)


def cancel_is_requested(payment_id: str, taken_in: Iterable[Input]) -> bool:
    """Return whether these inputs, as for ``meaning_of``, request a cancel that was not refused."""
    bodies = [entry.body for entry in {entry.event_id: entry for entry in taken_in}.values()]
    requested = sum(isinstance(body, Cancel) for body in bodies)
    refused = {
        body.call_key
        for body in bodies
        if isinstance(body, CallResult)
        and body.refusal is not None
        and re.fullmatch(rf"{re.escape(payment_id)}:cancel:\d+", body.call_key)
    }
    return requested > len(refused)


def _own(payment_id: str, taken_in: Iterable[Input]) -> tuple[list[object], str | None]:
    """Return the inputs that are about this payment, and its object."""
    # By event ID: an event that is reported again is the same event.
    bodies: list[object] = [
        entry.body for entry in {entry.event_id: entry for entry in taken_in}.values()
    ]
    results = [body for body in bodies if isinstance(body, CallResult)]
    own_object = _own_object(payment_id, results, bodies)
    own = [body for body in bodies if not _is_of_another(body, own_object)]
    return with_own_keys(payment_id, own), own_object


def _own_object(
    payment_id: str, results: Iterable[CallResult], bodies: Iterable[object]
) -> str | None:
    """Return the provider's object that is provably this payment's, if one is."""
    for result in results:
        if result.operation == "create" and result.object_id is not None:
            return result.object_id
    for body in bodies:
        # the key of a create that was made again ends in a number
        if isinstance(body, PaymentFact) and re.fullmatch(
            rf"{re.escape(payment_id)}:create(\.\d+)?", body.caused_by or ""
        ):
            return body.object_id
    return None


def _refunds(
    payment_id: str, bodies: Sequence[object], own_object: str | None, status: Status
) -> Refunds:
    """Return what the refunds among these inputs mean, in a payment that ends in this status."""
    requested: dict[str, int] = {}
    for n, body in enumerate(bodies):
        if isinstance(body, Refund):
            is_all = isinstance(body.amount, str)
            left = _left(payment_id, bodies[:n], own_object, body.refund_id) if is_all else 0
            requested[body.refund_id] = left if isinstance(body.amount, str) else body.amount
    facts = [body for body in bodies if isinstance(body, PaymentFact)]
    results = [body for body in bodies if isinstance(body, CallResult)]
    refused = {result.call_key for result in results if result.refusal is not None}
    succeeded = status is Status.SUCCEEDED
    return refunds_meaning(
        payment_id,
        requested,
        results,
        [body for body in bodies if isinstance(body, RefundFact) and body.object_id == own_object],
        status,
        uncaptured=_uncaptured(facts) if succeeded else 0,
        captured=_captured(facts) if succeeded else 0,
        captured_by_us=succeeded and _captured_by_us(payment_id, facts, bodies, refused),
    )


def _left(payment_id: str, before: Sequence[object], own_object: str | None, refund_id: str) -> int:
    """Return what a refund of all that is left asks for, by the inputs that came before it.

    If the log was read out of order, that refund may be among them, under our key: it is, if it is
    of all that was left without it.
    """
    refunds = _refunds(payment_id, before, own_object, Status.SUCCEEDED)
    left = _rest(before, refunds)
    reported = single(body for body in before if isinstance(body, RefundFact))
    for fact in reported:
        is_keyed = fact.object_id == own_object and echoed_by(payment_id, fact) == refund_id
        if is_keyed and left + refunds.taken.get(fact.ref, 0) == fact.amount:
            return fact.amount
    return left


def _rest(bodies: Sequence[object], refunds: Refunds) -> int:
    captured = _captured([body for body in bodies if isinstance(body, PaymentFact)])
    return max(0, captured - refunds.reserved - held(bodies, captured))


def _is_of_another(body: object, own_object: str | None) -> bool:
    return isinstance(body, PaymentFact) and body.object_id != own_object


def _final_status(
    payment_id: str,
    facts: Collection[PaymentFact],
    refused: Collection[str],
    acknowledged: Collection[str],
) -> Status | None:
    """Return the final status, if any. Terminal facts and a refusal to create beat all others."""
    if any(fact.status is ProviderStatus.SUCCEEDED for fact in facts):
        return Status.SUCCEEDED
    canceled = [fact for fact in facts if fact.status is ProviderStatus.CANCELED]
    if canceled:
        return _cancelled_by(payment_id, canceled, acknowledged)
    return Status.FAILED if f"{payment_id}:create" in refused else None


def _cancelled_by(
    payment_id: str, canceled: Iterable[PaymentFact], acknowledged: Collection[str]
) -> Status:
    """Return what a cancel at the provider means: FAILED if our last cancel did it.

    An event with that call's key says so, of whichever generation. If no event names a cause, the
    provider's answer to that call does: it is acknowledged only if it did it.
    """
    last_cancel = f"{payment_id}:cancel:exhausted"
    named = [fact for fact in canceled if fact.names_cause or fact.caused_by]
    if named:
        keys = [fact.caused_by or "" for fact in named]
        ours = any(re.fullmatch(rf"{re.escape(last_cancel)}(\.\d+)?", key) for key in keys)
    else:
        ours = last_cancel in acknowledged
    return Status.FAILED if ours else Status.CANCELED


def _unfinished_status(
    attempts: Collection[Attempt],
    facts: Collection[PaymentFact],
    *,
    max_attempts: int,
    object_known: bool,
) -> Status:
    latest = latest_live(attempts, facts)
    if latest is not None:
        return _LIVE[latest.status]
    failed = len(first_reports(facts))
    all_over = all(attempt.failures_before < failed for attempt in attempts)
    if 0 < failed < max_attempts and all_over:
        return Status.REQUIRES_ACTION
    return Status.PROCESSING if object_known else Status.CREATED


def _authorized(status: Status, facts: Collection[PaymentFact]) -> int:
    """Return what the provider last reported as authorized, or captured, if that is more."""
    if status not in {Status.AUTHORIZED, Status.SUCCEEDED}:
        return 0
    last = max((fact for fact in facts if fact.status == status.lower()), key=order)
    return max(last.amount, last.captured)


def _uncaptured(facts: Iterable[PaymentFact]) -> int:
    reported = [fact for fact in facts if fact.status is ProviderStatus.SUCCEEDED]
    last = max(reported, key=order)
    return max(0, last.amount - last.captured)


def _captured_by_us(
    payment_id: str,
    facts: Collection[PaymentFact],
    bodies: Collection[object],
    refused: Collection[str],
) -> bool:
    """Return whether we captured: the event's key says so, or our amount if none names a cause.

    A key says so if it is of a call of ours that asks for a capture: a capture does, and an attempt
    of a payment that is captured at once.
    """
    won = [fact for fact in facts if fact.status is ProviderStatus.SUCCEEDED]
    named = [fact for fact in won if fact.names_cause or fact.caused_by]
    last = max(named, key=order, default=None)
    if last is None:
        return _asked_to_capture(payment_id, bodies, refused) == _captured(facts)
    at_once = any(isinstance(b, Create) and b.capture_method == "automatic" for b in bodies)
    asking = ("capture", "create", "confirm") if at_once else ("capture",)
    return last.caused_by is not None and last.caused_by.split(".")[0].split(":")[1] in asking


def _asked_to_capture(
    payment_id: str, bodies: Iterable[object], refused: Collection[str]
) -> int | None:
    """Return the amount of our last capture that was not refused; None if there is none."""
    whole = [body.amount for body in bodies if isinstance(body, Create)]
    asked = [body for body in bodies if isinstance(body, Capture)]
    if not asked or f"{payment_id}:capture:{len(asked)}" in refused:
        return None
    amount = asked[-1].amount
    return amount if isinstance(amount, int) else whole[0]


def _captured(facts: Iterable[PaymentFact]) -> int:
    reported = [fact for fact in facts if fact.status is ProviderStatus.SUCCEEDED]
    return max(reported, key=order).captured


def _disputes(facts: Collection[DisputeFact]) -> dict[str, DisputeMeaning]:
    """Return each dispute. A movement that several facts report counts once."""
    meanings = {}
    for dispute_id in {fact.dispute_id for fact in facts}:
        own = [fact for fact in facts if fact.dispute_id == dispute_id]
        last = last_dispute_fact(own)
        must_respond = last.status.endswith("NEEDS_RESPONSE")
        meanings[dispute_id] = DisputeMeaning(
            last.status,
            moved=_moved(own),
            appeal=last.appeal,
            respond_by=last.respond_by if must_respond else None,
        )
    return meanings


def _moved(facts: Collection[DisputeFact]) -> dict[str, tuple[int, int, int]]:
    """Return what left us, what came back, and what was corrected in our favour, by currency."""
    movements = {movement.ref: movement for fact in facts for movement in fact.movements}.values()
    sums = {}
    for currency in {movement.currency for movement in movements}:
        of = {"withdrawn": 0, "reinstated": 0, "adjusted": 0}
        for movement in movements:
            if movement.currency == currency:
                of[movement.kind] += movement.amount
        sums[currency] = (of["withdrawn"], -of["reinstated"], -of["adjusted"])
    return sums


def _fraud_warnings(facts: Collection[FraudWarningFact]) -> dict[str, bool]:
    """Return whether each warning is still actionable; within one second, that it is not."""
    latest = {}
    for fact in sorted(facts, key=lambda f: (f.occurred_at, not f.actionable, f.event_id)):
        latest[fact.warning_id] = fact.actionable
    return latest
