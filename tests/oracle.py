"""The meaning of a set of inputs: a second, independent specification of a payment's end state.

``meaning_of`` takes all inputs at once and derives the end state from them alone. It shares only
the input types and the enums with ``domain``: where the two disagree, one of them is wrong.
It is meant for the inputs that were *taken in*: rejected inputs and conflicts do not count. Nor
does a fact about an object that is not proven to be this payment's, by the response to our own
create or by an event that carries that call's key. Repeats do no harm. Order matters in one case
only: a confirm follows the failures that were reported before it.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from domain.inputs import (
    CallResult,
    Cancel,
    Capture,
    Confirm,
    Create,
    DisputeFact,
    FraudWarningFact,
    Input,
    PaymentFact,
    Refund,
    RefundFact,
)
from domain.status import DisputeStatus, ProviderStatus, Status
from tests.oracle_refunds import RefundMeaning, refunds_meaning

__all__ = [
    "DisputeMeaning", "Meaning", "RefundMeaning", "cancel_is_requested", "last_dispute_fact",
    "meaning_of",
]  # fmt: skip

_LIVE = {
    ProviderStatus.OPEN: Status.PROCESSING,
    ProviderStatus.ACTION_NEEDED: Status.REQUIRES_ACTION,
    ProviderStatus.PENDING: Status.PROCESSING,
    ProviderStatus.AUTHORIZED: Status.AUTHORIZED,
}
_PROVIDER_ORDER = tuple(ProviderStatus)
_DISPUTE_DECIDED = (DisputeStatus.PREVENTED, DisputeStatus.LOST, DisputeStatus.WON)
#: Within one second: an inquiry in its order, a chargeback in its own, a decision, an appeal
#: against it, a win.
_DISPUTE_ORDER = (
    "WARNING_NEEDS_RESPONSE", "WARNING_UNDER_REVIEW", "WARNING_CLOSED",
    "NEEDS_RESPONSE", "UNDER_REVIEW", "PREVENTED", "LOST",
    "appeal NEEDS_RESPONSE", "appeal UNDER_REVIEW", "WON",
)  # fmt: skip


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
    # By event ID: an event that is reported again is the same event.
    bodies = [entry.body for entry in {entry.event_id: entry for entry in taken_in}.values()]
    creates = [body for body in bodies if isinstance(body, Create)]
    if len(creates) != 1:
        raise ValueError(f"a payment has exactly one create, here are {len(creates)}")
    results = [body for body in bodies if isinstance(body, CallResult)]
    own_object = _own_object(payment_id, results, bodies)
    payment_facts = [b for b in bodies if isinstance(b, PaymentFact) and b.object_id == own_object]
    refund_facts = [b for b in bodies if isinstance(b, RefundFact) and b.object_id == own_object]
    dispute_facts = [b for b in bodies if isinstance(b, DisputeFact) and b.object_id == own_object]
    warnings = [b for b in bodies if isinstance(b, FraudWarningFact) and b.object_id == own_object]
    refused = {result.call_key for result in results if result.refusal is not None}

    acknowledged = {result.call_key for result in results if result.refusal is None}

    status = _final_status(payment_id, payment_facts, refused, acknowledged)
    if status is None:
        status = _unfinished_status(
            payment_id,
            _attempts(payment_id, bodies, refused),
            payment_facts,
            max_attempts=creates[0].max_attempts,
            object_known=own_object is not None,
        )
    succeeded = status is Status.SUCCEEDED
    captured = _captured(payment_facts) if succeeded else 0
    uncaptured = _uncaptured(payment_facts) if succeeded else 0
    refunds, refunded = refunds_meaning(
        payment_id,
        [body for body in bodies if isinstance(body, Refund)],
        results,
        refund_facts,
        status,
        uncaptured=uncaptured,
        captured=captured,
        captured_by_us=succeeded and _captured_by_us(payment_id, payment_facts, bodies, refused),
    )
    return Meaning(
        status=status,
        authorized=_authorized(status, payment_facts),
        captured=captured,
        # A returned refund and its replacement may be reported in the wrong order, but never is
        # more refunded than was captured.
        refunded=min(refunded, captured),
        refunds=refunds,
        disputes=_disputes(dispute_facts),
        fraud_warnings=_fraud_warnings(warnings),
    )


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


@dataclass(frozen=True)
class _Attempt:
    """An attempt that the provider did not refuse, and the failures reported before it."""

    number: int
    failures_before: int


def _attempts(
    payment_id: str, bodies: Iterable[object], refused: Collection[str]
) -> list[_Attempt]:
    """Return the attempts that were not refused. The create's is number 1, then each confirm's."""
    attempts = [_Attempt(1, 0)]
    reported: list[PaymentFact] = []
    for body in bodies:
        if isinstance(body, PaymentFact):
            reported.append(body)
        elif isinstance(body, Confirm):
            attempts.append(_Attempt(len(attempts) + 1, len(_first_reports(reported))))
    return [a for a in attempts if f"{payment_id}:confirm:{a.number}" not in refused]


def _attempt_named_by(payment_id: str, fact: PaymentFact) -> int:
    """Return the number of the attempt whose call caused this fact; 0 if it names none.

    The key of a call that was made again ends in ``.1``, ``.2`` and so on.
    """
    call_key, *_ = (fact.caused_by or "").split(".")
    match call_key.split(":"):
        case [owner, "create", *_] if owner == payment_id:
            return 1
        case [owner, "confirm", number, *_] if owner == payment_id:
            return int(number)
    return 0


def _unfinished_status(
    payment_id: str,
    attempts: Collection[_Attempt],
    facts: Collection[PaymentFact],
    *,
    max_attempts: int,
    object_known: bool,
) -> Status:
    failures = _first_reports(facts)
    over = [attempt.number for attempt in attempts if attempt.failures_before < len(failures)]
    live = [fact for fact in facts if fact.status in _LIVE]
    if failures:
        last, last_over = failures[-1], max(over)
        live = [fact for fact in live if _outlives(payment_id, fact, last, last_over)]
    latest = max(live, key=_order, default=None)
    # after a failure an open object is as the failure left it, whether or not its error is kept
    if latest is not None and not (failures and latest.status is ProviderStatus.OPEN):
        return _LIVE[latest.status]
    all_over = len(over) == len(attempts)
    if failures and len(failures) < max_attempts and all_over:
        return Status.REQUIRES_ACTION
    return Status.PROCESSING if object_known else Status.CREATED


def _outlives(payment_id: str, fact: PaymentFact, failure: PaymentFact, last_over: int) -> bool:
    """Return whether the fact is newer. In the same second, a named attempt decides."""
    if fact.occurred_at == failure.occurred_at:
        named = _attempt_named_by(payment_id, fact)
        return named > last_over if named else _order(fact)[1] > _order(failure)[1]
    return fact.occurred_at > failure.occurred_at


def _order(fact: PaymentFact) -> tuple[datetime, int, int, str]:
    # Of two reports within one second the higher amount is the later one: it only ever grows.
    return fact.occurred_at, _PROVIDER_ORDER.index(fact.status), fact.amount, fact.event_id


def _first_reports(facts: Iterable[PaymentFact]) -> list[PaymentFact]:
    """Return each failed attempt once, as first reported, in the order of time."""
    first: dict[str, PaymentFact] = {}
    reported = [fact for fact in facts if fact.status is ProviderStatus.ATTEMPT_FAILED]
    for fact in sorted(reported, key=_order):
        first.setdefault(fact.attempt_ref or fact.event_id, fact)
    return list(first.values())


def _authorized(status: Status, facts: Collection[PaymentFact]) -> int:
    """Return what the provider last reported as authorized, or captured, if that is more."""
    if status not in {Status.AUTHORIZED, Status.SUCCEEDED}:
        return 0
    last = max((fact for fact in facts if fact.status == status.lower()), key=_order)
    return max(last.amount, last.captured)


def _uncaptured(facts: Iterable[PaymentFact]) -> int:
    reported = [fact for fact in facts if fact.status is ProviderStatus.SUCCEEDED]
    last = max(reported, key=_order)
    return max(0, last.amount - last.captured)


def _captured_by_us(
    payment_id: str,
    facts: Collection[PaymentFact],
    bodies: Collection[object],
    refused: Collection[str],
) -> bool:
    """Return whether we captured: the event's key says so, or our amount if none names a cause.

    A key says so if it is of a call that we made and that asks for a capture: a capture does, and
    an attempt of a payment that is captured at once.
    """
    won = [fact for fact in facts if fact.status is ProviderStatus.SUCCEEDED]
    named = [fact for fact in won if fact.names_cause or fact.caused_by]
    last = max(named, key=_order, default=None)
    if last is None:
        return _asked_to_capture(payment_id, bodies, refused) == _captured(facts)
    asking = {f"capture:{n + 1}" for n in range(sum(isinstance(b, Capture) for b in bodies))}
    if any(isinstance(b, Create) and b.capture_method == "automatic" for b in bodies):
        confirms = sum(isinstance(b, Confirm) for b in bodies)
        asking |= {"create", *(f"confirm:{n + 2}" for n in range(confirms))}
    owner, _, call = (last.caused_by or "").split(".")[0].partition(":")
    return owner == payment_id and call in asking


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
    return max(reported, key=_order).captured


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


def last_dispute_fact(facts: Iterable[DisputeFact]) -> DisputeFact:
    """Return the fact that counts of these about one dispute."""
    return max(facts, key=_dispute_order)


def _dispute_order(fact: DisputeFact) -> tuple[int, datetime, int, str]:
    """Return the order: an inquiry, a chargeback, then decisions and appeals, each by time."""
    stage = 1
    if fact.status.startswith("WARNING"):
        stage = 0
    elif fact.status in _DISPUTE_DECIDED or fact.appeal:
        stage = 2
    name = f"appeal {fact.status}" if fact.appeal else str(fact.status)
    return stage, fact.occurred_at, _DISPUTE_ORDER.index(name), fact.event_id


def _fraud_warnings(facts: Collection[FraudWarningFact]) -> dict[str, bool]:
    """Return whether each warning is still actionable; within one second, that it is not."""
    latest = {}
    for fact in sorted(facts, key=lambda f: (f.occurred_at, not f.actionable, f.event_id)):
        latest[fact.warning_id] = fact.actionable
    return latest
