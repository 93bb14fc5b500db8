"""The rules that a history must obey. Pure, so that any history can be checked anywhere."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from schemas.identity import public_operation_id
from tests.chaos.history import (
    Accepted,
    Answered,
    AnswerRead,
    AnyEntry,
    FaultEnded,
    Invoked,
    Outcome,
    Published,
    Read,
    Stored,
    Violation,
)

FINAL: Final = frozenset({"SUCCEEDED", "FAILED", "CANCELED"})
#: The operation of webhooks in the history, and that of what payments forbid.
WEBHOOK: Final = "webhook"
FORBIDDEN: Final = "forbidden"
ENDS: Final = frozenset({"rejected", "done", "refused"})


@dataclass(frozen=True)
class IndexedHistory:
    """A history with indexes.

    Args:
        entries: the history's entries, in order.
        kinds: the kinds of faults that must have had an effect.
    """

    entries: Sequence[AnyEntry]
    kinds: Sequence[str] = ()

    @cached_property
    def invoked(self) -> dict[int, Invoked]:
        """Requests by their number."""
        return {e.number: e for e in self.entries if isinstance(e, Invoked)}

    @cached_property
    def accepted(self) -> list[tuple[Invoked, Accepted]]:
        """The accepted requests, with their responses."""
        return [(self.invoked[e.number], e) for e in self.entries if isinstance(e, Accepted)]

    @cached_property
    def outcomes(self) -> dict[str, list[Outcome]]:
        """The recorded outcomes by event ID."""
        found: dict[str, list[Outcome]] = defaultdict(list)
        for e in self.entries:
            if isinstance(e, Outcome):
                found[e.event_id].append(e)
        return found

    @cached_property
    def stored(self) -> dict[str, Stored]:
        """Payments by their ID, at rest."""
        return {e.payment_id: e for e in self.entries if isinstance(e, Stored)}

    @cached_property
    def answers(self) -> dict[str, set[tuple[str, str | None]]]:
        """Statuses and codes of the published records by operation."""
        found: dict[str, set[tuple[str, str | None]]] = defaultdict(set)
        for e in self.entries:
            if isinstance(e, Answered):
                found[e.operation_id].add((e.status, e.code))
        return found

    @cached_property
    def read_answers(self) -> dict[str, tuple[str, str | None]]:
        """What the API answered at rest, by operation."""
        reads = (e for e in self.entries if isinstance(e, AnswerRead))
        return {e.operation_id: (e.status, e.code) for e in reads}

    @cached_property
    def published(self) -> dict[str, list[Published]]:
        """The published records by payment, in order."""
        found: dict[str, list[Published]] = defaultdict(list)
        for e in self.entries:
            if isinstance(e, Published):
                found[e.payment_id].append(e)
        return found


Violations = Iterator[str]


def accepted_is_recorded(history: IndexedHistory) -> Violations:
    """Every accepted request has an outcome under its event ID.

    Or under that of its record, which ``@`` and its place in the log follow: it was ignored so that
    another form of the event could count.
    """
    recorded = {event_id.partition("@")[0] for event_id in history.outcomes}
    for request, response in history.accepted:
        if response.event_id not in recorded:
            yield f"{request.operation} {request.key} was accepted, but has no outcome"


def every_command_is_answered(history: IndexedHistory) -> Violations:
    """Every accepted command ended once, and the API says what the topic said.

    What a payment forbids was rejected, with a code.
    """
    for request, response in history.accepted:
        if request.operation == WEBHOOK:
            continue
        operation_id = public_operation_id(response.payment_id or "", response.event_id or "")
        ends = {each for each in history.answers[operation_id] if each[0] in ENDS}
        name = f"{request.operation} {request.key}"
        if len(ends) != 1:
            yield f"{name} ended as {sorted(status for status, _ in ends)}"
            continue
        ((status, code),) = ends
        if history.read_answers.get(operation_id) != (status, code):
            yield f"{name} is {status} on the topic, not as the API answers"
        if (request.operation == FORBIDDEN) is not (status == "rejected"):
            yield f"{name} ended as {status}"
        if (code is None) is not (status == "done"):
            yield f"{name} is {status} with the code {code}"


def one_payment_per_key(history: IndexedHistory) -> Violations:
    """All responses to one key name the same payment and event."""
    found: dict[str, set[tuple[str | None, str | None]]] = defaultdict(set)
    for request, response in history.accepted:
        found[request.key].add((response.payment_id, response.event_id))
    for key, several in found.items():
        if len(several) > 1:
            yield f"{key} has several payments: {sorted(map(str, several))}"


def at_most_one_outcome(history: IndexedHistory) -> Violations:
    """An event has at most one outcome."""
    for event_id, several in history.outcomes.items():
        if len(several) > 1:
            yield f"{event_id} has {len(several)} outcomes: {[o.outcome for o in several]}"


def every_command_was_sent(history: IndexedHistory) -> Violations:
    """Every command that has an outcome was sent by a client."""
    sent = {response.event_id for _, response in history.accepted}
    settled = {request.key for request, _ in history.accepted}
    open_keys = {r.key for r in history.invoked.values() if r.operation != WEBHOOK} - settled
    if open_keys:
        return  # an outcome may belong to any of the unanswered requests
    for event_id, (first, *_) in history.outcomes.items():
        if first.kind.startswith("command.") and event_id not in sent:
            yield f"{event_id} ({first.kind} of {first.payment_id}) was never sent"


def every_request_was_accepted(history: IndexedHistory) -> Violations:
    """Every request is accepted after some retries."""
    settled = {request.key for request, _ in history.accepted}
    for request in {r.key: r for r in history.invoked.values() if r.operation != WEBHOOK}.values():
        if request.key not in settled:
            yield f"{request.operation} {request.key} was never accepted"


def replica_never_goes_back(history: IndexedHistory) -> Violations:
    """After each transaction on ``payment-state``, the last value of a key is its newest so far.

    A transaction is a run of records without a gap, because its end takes an offset.
    """
    last: dict[str, int] = {}
    for run in _transactions(e for e in history.entries if isinstance(e, Published)):
        after = {e.payment_id: e.version for e in run}
        for payment_id, version in after.items():
            if version < last.get(payment_id, 0):
                place = f"{run[0].partition}/{run[0].offset}"
                yield f"{payment_id}: {version} after {last[payment_id]}, at {place}"
        last |= after


def _transactions(published: Iterable[Published]) -> Iterator[list[Published]]:
    by_partition: dict[int, dict[int, Published]] = defaultdict(dict)
    for e in published:
        by_partition[e.partition][e.offset] = e
    for found in by_partition.values():
        run: list[Published] = []
        for offset in sorted(found):
            if run and offset != run[-1].offset + 1:
                yield run
                run = []
            run.append(found[offset])
        if run:
            yield run


def versions_have_no_gaps(history: IndexedHistory) -> Violations:
    """At rest, every version up to the stored one was published."""
    for payment_id, payment in history.stored.items():
        versions = {e.version for e in history.published.get(payment_id, ())}
        if versions != set(range(1, payment.version + 1)):
            yield f"{payment_id} is at {payment.version}; published were {sorted(versions)}"
    for payment_id in history.published.keys() - history.stored.keys():
        yield f"{payment_id} is published, but not stored"


def final_statuses_never_change(history: IndexedHistory) -> Violations:
    """A final status never changes, and all records of one version agree."""
    for payment_id, records in history.published.items():
        statuses: dict[int, str] = {}
        for e in records:
            if statuses.setdefault(e.version, e.status) != e.status:
                yield f"{payment_id} version {e.version} is {statuses[e.version]} and {e.status}"
        end: str | None = None
        for _, status in sorted(statuses.items()):
            if end is not None and status != end:
                yield f"{payment_id} was {end} and became {status}"
            end = end or (status if status in FINAL else None)


def reads_never_go_back(history: IndexedHistory) -> Violations:
    """Through one ingress, a read that began after another ended shows no older version."""
    ended: dict[tuple[str, str], list[Read]] = defaultdict(list)
    for e in history.entries:
        if not isinstance(e, Read):
            continue
        earlier = ended[e.via, e.payment_id]
        newest = max((r.version for r in earlier if r.at < e.requested_at), default=0)
        if e.version < newest:
            yield f"{e.payment_id} via {e.via}: {e.version} after {newest}"
        earlier.append(e)


def every_fault_had_an_effect(history: IndexedHistory) -> Violations:
    """C1: each kind of fault had an effect."""
    with_effect = {e.kind for e in history.entries if isinstance(e, FaultEnded) and e.effect}
    for kind in history.kinds:
        if kind not in with_effect:
            yield f"'{kind}' had no effect"


def no_violation_at_rest(history: IndexedHistory) -> Violations:
    """At rest the service agrees with all invariants, the oracle and the provider's objects."""
    for e in history.entries:
        if isinstance(e, Violation):
            yield f"{e.code}: {e.what}"
    if not history.stored:
        yield "no payment is stored"


Check = Callable[[IndexedHistory], Violations]
CHECKS: Final[tuple[Check, ...]] = (
    no_violation_at_rest,
    accepted_is_recorded,
    every_command_is_answered,
    one_payment_per_key,
    at_most_one_outcome,
    every_command_was_sent,
    every_request_was_accepted,
    replica_never_goes_back,
    versions_have_no_gaps,
    final_statuses_never_change,
    reads_never_go_back,
    every_fault_had_an_effect,
)


def check(history: IndexedHistory) -> dict[str, list[str]]:
    """Violations by the name of the rule; all empty for a good history."""
    return {rule.__name__.replace("_", " "): list(rule(history)) for rule in CHECKS}
