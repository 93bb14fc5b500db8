"""What must always be true, stated once. Pure: evidence in, violations out.

Tests and the ``payments audit`` command gather the evidence and ask here.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from processor.domain.status import Status
from processor.domain.transitions import is_allowed, is_final
from processor.records import Position


@dataclass(frozen=True, slots=True)
class InboxEvidence:
    """One row of the inbox."""

    event_id: str
    payment_id: str
    position: Position
    outcome: str
    version: int | None


@dataclass(frozen=True, slots=True)
class PaymentEvidence:
    """One row of payments."""

    payment_id: str
    status: Status
    version: int
    amount: int
    authorized: int
    captured: int
    refunded: int


@dataclass(frozen=True, slots=True)
class VersionEvidence:
    """One row of payment_versions."""

    payment_id: str
    version: int
    previous_status: Status | None
    status: Status
    event_id: str
    snapshot: bytes


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything Postgres and Kafka hold, at rest."""

    #: Positions of every record in the processor's source topics.
    log: frozenset[Position] = frozenset()
    inbox: Sequence[InboxEvidence] = ()
    duplicates: Sequence[Position] = ()
    dead_letters: Sequence[Position] = ()
    payments: Mapping[str, PaymentEvidence] = field(default_factory=dict)
    #: By payment ID, in order of version.
    versions: Mapping[str, Sequence[VersionEvidence]] = field(default_factory=dict)
    #: Last value per key of ``payment-state``.
    published: Mapping[str, bytes] = field(default_factory=dict)
    #: Versions per key of ``payment-state`` in the order they stand there.
    published_versions: Mapping[str, Sequence[int]] = field(default_factory=dict)
    held: frozenset[str] = frozenset()
    #: Provider calls that are not done, by key.
    due_calls: frozenset[str] = frozenset()
    unpublished: int = 0
    unrouted: int = 0
    #: Records that are in the source topics and not yet committed as processed.
    lag: int = 0


Violations = Iterator[str]


def one_outcome_per_record(e: Evidence) -> Violations:
    """S1: every record in the log ends in exactly one outcome."""
    outcomes = Counter([*(r.position for r in e.inbox), *e.duplicates, *e.dead_letters])
    for position in e.log - outcomes.keys():
        yield f"{position} has no outcome"
    for position, count in outcomes.items():
        if count > 1:
            yield f"{position} has {count} outcomes"


def one_effect_per_event(e: Evidence) -> Violations:
    """S2: one effect per event ID."""
    effects = Counter(v.event_id for versions in e.versions.values() for v in versions)
    for event_id, count in effects.items():
        if count > 1:
            yield f"{event_id} brought {count} versions"


def versions_dense_and_allowed(e: Evidence) -> Violations:
    """S3: versions are 1, 2, 3 ...; every transition is in the table; final states never change."""
    for payment_id, payment in e.payments.items():
        versions = e.versions.get(payment_id, ())
        if [v.version for v in versions] != list(range(1, payment.version + 1)):
            yield f"{payment_id} at version {payment.version} has {[v.version for v in versions]}"
        before: Status | None = None
        for v in versions:
            if v.previous_status is not before:
                yield f"{payment_id} version {v.version} follows {v.previous_status}, not {before}"
            if before is not None and v.status is not before and not is_allowed(before, v.status):
                final = " (final)" if is_final(before) else ""
                yield f"{payment_id} went from {before}{final} to {v.status}"
            before = v.status
        if before is not payment.status:
            yield f"{payment_id} is {payment.status}, its last version {before}"


def amounts_add_up(e: Evidence) -> Violations:
    """S5: 0 <= refunded <= captured <= authorized."""
    for p in e.payments.values():
        if not 0 <= p.refunded <= p.captured <= p.authorized <= p.amount:
            yield f"{p.payment_id}: {p.refunded}, {p.captured}, {p.authorized} of {p.amount}"


def all_or_none(e: Evidence) -> Violations:
    """S6: an event, the payment's version and its outcome are written together."""
    recorded = {r.event_id: r for r in e.inbox}
    for versions in e.versions.values():
        for v in versions:
            row = recorded.get(v.event_id)
            if row is None or row.outcome != "applied" or row.version != v.version:
                yield f"{v.payment_id} version {v.version}: its event {v.event_id} says {row}"


def published_is_stored(e: Evidence) -> Violations:
    """S8: the last record per key in payment-state is the payment's last version, to the byte."""
    for payment_id, versions in e.versions.items():
        if e.published.get(payment_id) != versions[-1].snapshot:
            yield f"{payment_id}: the last record is not version {versions[-1].version}"
    for payment_id in e.published.keys() - e.versions.keys():
        yield f"{payment_id} is published, but not stored"
    for payment_id, seen in e.published_versions.items():
        missing = set(range(1, max(seen) + 1)) - set(seen)
        if missing:
            yield f"{payment_id}: versions {sorted(missing)} were never published"


def nothing_waits(e: Evidence) -> Violations:
    """L1: at rest, no lag, nothing unpublished, nothing stuck."""
    for what, count in (("records unprocessed", e.lag), ("publications unpublished", e.unpublished),
                        ("webhooks unrouted", e.unrouted)):  # fmt: skip
        if count:
            yield f"{count} {what}"
    for key in e.due_calls:
        yield f"call {key} is still due"
    for row in e.inbox:
        if (
            row.outcome == "parked"
            and row.payment_id in e.payments
            and row.payment_id not in e.held
        ):
            yield f"{row.event_id} is parked, though its payment {row.payment_id} is here"


Invariant = Callable[[Evidence], Violations]
INVARIANTS: Final[Mapping[str, Invariant]] = {
    "S1": one_outcome_per_record,
    "S2": one_effect_per_event,
    "S3": versions_dense_and_allowed,
    "S5": amounts_add_up,
    "S6": all_or_none,
    "S8": published_is_stored,
    "L1": nothing_waits,
}


def check(evidence: Evidence) -> dict[str, list[str]]:
    """Every invariant's violations by its code; all empty when all is well."""
    return {code: list(invariant(evidence)) for code, invariant in INVARIANTS.items()}
