"""A payment's attempts and our calls: the part of ``tests.oracle`` about what is still going on."""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from msgspec.structs import replace

from domain.inputs import CallResult, Cancel, Capture, Confirm, Create, PaymentFact
from domain.status import ProviderStatus

LIVE = (
    ProviderStatus.OPEN,
    ProviderStatus.ACTION_NEEDED,
    ProviderStatus.PENDING,
    ProviderStatus.AUTHORIZED,
)
_ENDED = (ProviderStatus.SUCCEEDED, ProviderStatus.CANCELED)
_PROVIDER_ORDER = tuple(ProviderStatus)


@dataclass(frozen=True)
class Attempt:
    """An attempt that the provider did not refuse, and the failures reported before it."""

    number: int
    failures_before: int


def attempts_of(
    payment_id: str, bodies: Iterable[object], refused: Collection[str]
) -> list[Attempt]:
    """Return the attempts that were not refused. The create's is number 1, then each confirm's."""
    attempts = [Attempt(1, 0)]
    reported: list[PaymentFact] = []
    for body in bodies:
        if isinstance(body, PaymentFact):
            reported.append(body)
        elif isinstance(body, Confirm):
            attempts.append(Attempt(len(attempts) + 1, len(first_reports(reported))))
    return [a for a in attempts if f"{payment_id}:confirm:{a.number}" not in refused]


def _attempt_named_by(fact: PaymentFact) -> int:
    """Return the number of the attempt whose call caused this fact; 0 if it names none.

    The key of a call that was made again ends in ``.1``, ``.2`` and so on.
    """
    call_key, *_ = (fact.caused_by or "").split(".")
    match call_key.split(":"):
        case [_, "create"]:
            return 1
        case [_, "confirm", number]:
            return int(number)
    return 0


def latest_live(
    attempts: Collection[Attempt], facts: Collection[PaymentFact]
) -> PaymentFact | None:
    """Return the latest report of the attempt that is under way; None if none is."""
    failures = first_reports(facts)
    over = [attempt.number for attempt in attempts if attempt.failures_before < len(failures)]
    live = [fact for fact in facts if fact.status in LIVE]
    if failures:
        last, last_over = failures[-1], max(over, default=0)
        live = [fact for fact in live if _outlives(fact, last, last_over)]
    latest = max(live, key=order, default=None)
    # after a failure an open object is as the failure left it, whether or not its error is kept
    is_open = latest is not None and latest.status is ProviderStatus.OPEN
    return None if failures and is_open else latest


def _outlives(fact: PaymentFact, failure: PaymentFact, last_over: int) -> bool:
    """Return whether the fact is newer. In the same second, a named attempt decides."""
    if fact.occurred_at == failure.occurred_at:
        named = _attempt_named_by(fact)
        return named > last_over if named else order(fact)[1] > order(failure)[1]
    return fact.occurred_at > failure.occurred_at


def order(fact: PaymentFact) -> tuple[datetime, int, int, str]:
    """Return the sort key of reports. Within one second the higher amount is later: it grows."""
    return fact.occurred_at, _PROVIDER_ORDER.index(fact.status), fact.amount, fact.event_id


def first_reports(facts: Iterable[PaymentFact]) -> list[PaymentFact]:
    """Return each failed attempt once, as first reported, in the order of time.

    A failure is known by the provider's name for the attempt or by our call; a report with both
    says that they are of one. Of reports that have neither, those of one code are of one failure,
    which may be one that is known by its name or call.
    """
    reported = sorted((f for f in facts if f.status is ProviderStatus.ATTEMPT_FAILED), key=order)
    known = [fact for fact in reported if fact.attempt_ref is not None or _attempt_named_by(fact)]
    nameless: dict[str | None, PaymentFact] = {}
    for fact in reported:
        if fact not in known:
            nameless.setdefault(_code(fact), fact)
    alone = [
        fact
        for code, fact in nameless.items()
        if not any(f.occurred_at <= fact.occurred_at and _code(f) == code for f in known)
    ]
    return sorted([*(group[0] for group in _same_failures(known)), *alone], key=order)


def _same_failures(known: Sequence[PaymentFact]) -> list[list[PaymentFact]]:
    """Return these reports, one group of them for each failure; the first report is the first.

    What has only a name is taken for the latest failure of the same code by then that has only a
    call, one for one.
    """
    refs = dict.fromkeys(fact.attempt_ref for fact in known if fact.attempt_ref is not None)
    groups = [[fact for fact in known if fact.attempt_ref == ref] for ref in refs]
    only_called: list[list[PaymentFact]] = []
    for number in dict.fromkeys(map(_attempt_named_by, known)):
        own = [f for f in known if f.attempt_ref is None and _attempt_named_by(f) == number]
        both = [group for group in groups if number in map(_attempt_named_by, group)]
        if own and number and both:
            both[0][:] = sorted([*both[0], *own], key=order)
        elif own and number:
            only_called.append(own)
    for group in groups:
        if not any(map(_attempt_named_by, group)):
            before = [own for own in only_called if _may_come_first(own[0], group[0])]
            if before:
                latest = max(before, key=lambda own: order(own[0]))
                only_called.remove(latest)
                group[:] = sorted([*latest, *group], key=order)
    return [*groups, *only_called]


def _may_come_first(called: PaymentFact, named: PaymentFact) -> bool:
    return called.occurred_at <= named.occurred_at and _code(called) == _code(named)


def _code(fact: PaymentFact) -> str | None:
    return fact.failure.code if fact.failure else None


def with_own_keys(payment_id: str, bodies: Sequence[object]) -> list[object]:
    """Return the inputs, their payment facts without keys of calls that we had not made by then.

    Somebody else has made such a key up, because a call is made before it can be reported.
    """
    trusted: list[object] = []
    for body in bodies:
        if not isinstance(body, PaymentFact) or _was_called(
            payment_id, body.caused_by or "", trusted
        ):
            trusted.append(body)
        else:
            trusted.append(replace(body, caused_by=None))
    return trusted


def _was_called(payment_id: str, key: str, before: Sequence[object]) -> bool:
    call, dot, generation = key.partition(".")
    if dot and not re.fullmatch(r"[1-9]\d*", generation):
        return False
    match call.split(":"):
        case [owner, "create"] if owner == payment_id:
            return True
        case [owner, "cancel", "exhausted"] if owner == payment_id:
            return any(_is_exhausted(payment_id, before[:n]) for n in range(1, len(before) + 1))
        case [owner, verb, number] if owner == payment_id and re.fullmatch(r"[1-9]\d*", number):
            command, first = {
                "confirm": (Confirm, 2), "capture": (Capture, 1), "cancel": (Cancel, 1),
            }.get(verb, (Create, 2))  # fmt: skip
            asked = sum(isinstance(body, command) for body in before)
            return first <= int(number) < first + asked
    return False


def _is_exhausted(payment_id: str, bodies: Sequence[object]) -> bool:
    """Return whether all attempts have failed by then, so that we cancel."""
    most = next((body.max_attempts for body in bodies if isinstance(body, Create)), 0)
    facts = [body for body in bodies if isinstance(body, PaymentFact)]
    results = [body for body in bodies if isinstance(body, CallResult)]
    refused = {result.call_key for result in results if result.refusal is not None}
    if most == 0 or any(fact.status in _ENDED for fact in facts):
        return False
    attempts = attempts_of(payment_id, bodies, refused)
    return len(first_reports(facts)) >= most and latest_live(attempts, facts) is None
