"""The invariants of the system. Pure: evidence in, violations out.

The tests gather the evidence of a whole system and call ``check``. ``payments audit`` gathers and
checks that of some payments at a time.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final

from msgspec import Struct

from domain.money import format_amount
from domain.status import Outcome, Status
from domain.transitions import is_allowed, is_final
from domain.view import status_of
from ports.batch import PARTS_MAX
from ports.records import UNREAD, RecordOffset
from postgres.documents import encode_snapshot
from processor.ops.decoded import Decoded, Unreadable, decode
from processor.ops.ledger import Ledger
from processor.ops.operation_invariants import Answers, unanswered
from processor.ops.table_invariants import Tables, disagreements
from schemas.topics import PROVIDER_WEBHOOKS


def digest(value: bytes) -> bytes:
    """Returns 16 bytes that stand for a value of ``payment-state``."""
    return blake2b(value, digest_size=16).digest()


class InboxEvidence(Struct, frozen=True, kw_only=True, gc=False):
    """One row of the inbox."""

    event_id: str
    payment_id: str
    #: Of a webhook it begins with the account at whose endpoint it came.
    kind: str = ""
    position: RecordOffset
    outcome: str
    version: int | None
    #: Recorded so recently that the next step may be in flight.
    is_young: bool = False


class PaymentEvidence(Struct, frozen=True, kw_only=True):
    """One row of payments."""

    payment_id: str
    status: Status
    version: int
    amount: int
    authorized: int
    captured: int
    refunded: int
    #: The last version as published.
    snapshot: bytes
    #: Further columns that repeat the document, by name.
    repeats: Mapping[str, object] = {}


class VersionEvidence(Struct, frozen=True, kw_only=True, gc=False):
    """One row of payment_versions."""

    payment_id: str
    version: int
    previous_status: Status | None
    status: Status
    event_id: str
    #: So old that its inbox row may have been deleted.
    is_old: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The contents of Postgres and Kafka, of a system at rest or of a live one.

    They are those of all payments, or of some: then no record of the log.
    """

    #: Positions of every record in the processor's source topics.
    log: frozenset[RecordOffset] = frozenset()
    #: Those that were not acknowledged at the start: their outcomes may be in flight.
    unacknowledged: frozenset[RecordOffset] = frozenset()
    inbox: Sequence[InboxEvidence] = ()
    duplicates: Sequence[RecordOffset] = ()
    dead_letters: Sequence[RecordOffset] = ()
    payments: Mapping[str, PaymentEvidence] = field(default_factory=dict)
    #: By payment ID: the stored document, in JSON.
    documents: Mapping[str, str] = field(default_factory=dict)
    #: By payment ID, in order of version.
    versions: Mapping[str, Sequence[VersionEvidence]] = field(default_factory=dict)
    #: ``digest`` of the last value per key of ``payment-state``.
    published: Mapping[str, bytes] = field(default_factory=dict)
    #: Versions per key of ``payment-state``, in log order.
    published_versions: Mapping[str, Sequence[int]] = field(default_factory=dict)
    #: By payment ID: the last version marked as published before the topic was read. None: all are.
    due_versions: Mapping[str, int] | None = None
    #: Whether every record ever published must still exist; compaction removes old ones.
    is_whole: bool = True
    quarantined: frozenset[str] = frozenset()
    #: Payments whose last record is marked as quarantined. None: records may be in flight.
    published_quarantined: frozenset[str] | None = None
    #: Provider calls that are not done, by key.
    due_calls: frozenset[str] = frozenset()
    #: The rows of the other tables. None: not gathered.
    tables: Tables | None = None
    #: The operations. None: not gathered.
    answers: Answers | None = None
    unpublished: int = 0
    unrouted: int = 0
    #: Records that have been unacknowledged for too long.
    lag: int = 0
    _decoded: dict[str, Decoded | Unreadable] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @property
    def decoded(self) -> Mapping[str, Decoded | Unreadable]:
        """The documents, decoded once for all invariants."""
        if len(self._decoded) < len(self.documents):
            self._decoded.update(decode(self.documents))
        return self._decoded


Violations = Iterator[str]


def one_outcome_per_record(e: Evidence) -> Violations:
    """Yields the records without an outcome, and those with several."""
    ledger = Ledger()
    for p in e.log - e.unacknowledged:
        ledger.log(p.topic, p.partition, p.offset, p.offset + 1)
    for position in (*(row.position for row in e.inbox), *e.duplicates, *e.dead_letters):
        ledger.end(position)
    yield from ledger.violations()


def one_effect_per_event(e: Evidence) -> Violations:
    """Yields the events that created more than one version."""
    effects = Counter(v.event_id for versions in e.versions.values() for v in versions)
    for event_id, count in effects.items():
        if count > 1:
            yield f"{event_id} created {count} versions"


def versions_dense_and_allowed(e: Evidence) -> Violations:
    """Yields gaps between versions, and transitions that are not in the table."""
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


def stored_is_derived(e: Evidence) -> Violations:
    """Yields the rows that differ from what the payment's own document says."""
    for payment_id, decoded in e.decoded.items():
        row = e.payments[payment_id]
        if isinstance(decoded, Unreadable):
            yield f"{payment_id} can't be read: {decoded.error}"
            continue
        payment, money = decoded.payment, decoded.view.amounts
        said = (status_of(payment), money.authorized, money.captured, money.refunded)
        stored = (row.status, row.authorized, row.captured, row.refunded)
        if said != stored:
            stored_text, derived_text = (_describe_state(row, *each) for each in (stored, said))
            yield f"{payment_id} is stored as {stored_text}, its facts say {derived_text}"
        for column, value in row.repeats.items():
            if value != getattr(payment, column):
                yield f"{payment_id}: {column} is stored as {value}, its document differs"
        if encode_snapshot(decoded.view) != row.snapshot:
            yield f"{payment_id}: its last version differs from its facts"


def amounts_add_up(e: Evidence) -> Violations:
    """Yields the payments whose amounts contradict each other."""
    for p in e.payments.values():
        if not 0 <= p.refunded <= p.captured <= p.authorized:
            text = _describe_state(p, p.status, p.authorized, p.captured, p.refunded)
            yield f"{p.payment_id} of {_shown(p, p.amount)} is {text}"


def _describe_state(
    p: PaymentEvidence, status: Status, authorized: int, captured: int, refunded: int
) -> str:
    money = {"authorized": authorized, "captured": captured, "refunded": refunded}
    return ", ".join([status, *(f"{_shown(p, amount)} {name}" for name, amount in money.items())])


def _shown(p: PaymentEvidence, amount: int) -> str:
    """Returns an amount with the decimals of its currency, if the row names one."""
    return format_amount(amount, str(p.repeats.get("currency", "unknown currency")))


def all_or_none(e: Evidence) -> Violations:
    """Yields the versions whose event is not recorded as applied with that version.

    An event is recorded for one payment, so it has an effect on that one only; and it is recorded
    once, although each partition of the inbox has a unique key of its own. Once an old event has
    left the inbox it may come again, and then it has no effect.
    """
    recorded = {(r.payment_id, r.event_id): r for r in e.inbox}
    if len(recorded) < len(e.inbox):
        for (_, event_id), count in Counter((r.payment_id, r.event_id) for r in e.inbox).items():
            if count > 1:
                yield f"{event_id} is recorded {count} times"
    for versions in e.versions.values():
        for v in versions:
            row = recorded.get((v.payment_id, v.event_id))
            if v.is_old and (row is None or row.version is None):
                continue
            if row is None or row.outcome != "applied" or row.version != v.version:
                ended = "is not recorded" if row is None else f"ended as {_ended(row)}"
                yield f"{v.payment_id} version {v.version}: its event {v.event_id} {ended}"


def _ended(row: InboxEvidence) -> str:
    return row.outcome if row.version is None else f"{row.outcome} in version {row.version}"


def published_is_stored(e: Evidence) -> Violations:
    """Yields the differences between ``payment-state`` and the stored versions."""
    for payment_id, payment in e.payments.items():
        stored = payment.version
        due = stored if e.due_versions is None else e.due_versions.get(payment_id, 0)
        last = max(e.published_versions.get(payment_id, ())[-1:], default=0)
        if due < stored and _may_have_gaps(e, payment_id):
            due = 0  # the version before one that is not published yet may never be
        if not due <= last <= stored:
            yield f"{payment_id}: the last record is not version {max(due, min(last, stored))}"
        elif last == stored and e.published.get(payment_id) != digest(payment.snapshot):
            yield f"{payment_id}: the last record is not version {last} as stored"
    if e.published_quarantined is not None:
        for payment_id in sorted(e.published_quarantined ^ (e.quarantined & e.published.keys())):
            yield f"{payment_id}: whether it is quarantined is not what its last record says"
    for payment_id in sorted(e.published.keys() - e.payments.keys()):
        yield f"{payment_id} is published, but not stored"
    for payment_id, seen in e.published_versions.items():
        first = 1 if e.is_whole else min(seen)
        missing = set(range(first, max(seen) + 1)) - set(seen)
        if missing and not _may_have_gaps(e, payment_id):
            yield f"{payment_id}: versions {sorted(missing)} were never published"


def _may_have_gaps(e: Evidence, payment_id: str) -> bool:
    """Whether the payment has so many refunds that not every version was published."""
    decoded = e.decoded.get(payment_id)
    return isinstance(decoded, Decoded) and decoded.payment.parts > PARTS_MAX


def tables_agree(e: Evidence) -> Violations:
    """Yields the rows of the other tables that contradict their payments."""
    if e.tables is not None:
        yield from disagreements(e.decoded, e.tables)


def bound_to_one_account(e: Evidence) -> Violations:
    """Yields the webhooks of another account than their payment's that had an effect."""
    for row in e.inbox:
        payment = e.decoded.get(row.payment_id)
        if row.outcome != Outcome.APPLIED or row.position.topic != PROVIDER_WEBHOOKS:
            continue
        account = row.kind.partition(".")[0]
        if account == UNREAD:
            continue  # it was recorded before our own code could read it
        if isinstance(payment, Decoded) and payment.payment.provider != account:
            yield f"{row.payment_id}: {row.event_id} of account {account} was applied"


def every_command_is_answered(e: Evidence) -> Violations:
    """Yields the commands without an answer, and what table and topic say differently."""
    if e.answers is not None:
        yield from unanswered(e.decoded, e.answers)


def nothing_waits(e: Evidence) -> Violations:
    """Yields what is still waiting to be processed, published or called."""
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
            and row.payment_id not in e.quarantined
            and not row.is_young
        ):
            yield f"{row.event_id} is parked, though its payment {row.payment_id} exists"


@dataclass(frozen=True, slots=True, kw_only=True)
class Invariant:
    """One invariant: its meaning, its check, and the number of things checked."""

    meaning: str
    #: What is counted, in the plural.
    unit: str
    violations: Callable[[Evidence], Violations]
    count: Callable[[Evidence], int]


INVARIANTS: Final[Mapping[str, Invariant]] = {
    "S1": Invariant(
        meaning="every record in the log ends in exactly one outcome.",
        unit="records",
        violations=one_outcome_per_record,
        count=lambda e: len(e.log),
    ),
    "S2": Invariant(
        meaning="one effect per event ID.",
        unit="versions",
        violations=one_effect_per_event,
        count=lambda e: _count(e.versions),
    ),
    "S3": Invariant(
        meaning=(
            "versions are 1, 2, 3 ...; every transition is in the table; final states never change."
        ),
        unit="versions",
        violations=versions_dense_and_allowed,
        count=lambda e: _count(e.versions),
    ),
    "S4": Invariant(
        meaning="status, amounts and last version are what the payment's own facts say.",
        unit="payments",
        violations=stored_is_derived,
        count=lambda e: len(e.documents),
    ),
    "S5": Invariant(
        meaning="0 <= refunded <= captured <= authorized.",
        unit="payments",
        violations=amounts_add_up,
        count=lambda e: len(e.payments),
    ),
    "S6": Invariant(
        meaning="an event, the payment's version and its outcome are written together.",
        unit="versions",
        violations=all_or_none,
        count=lambda e: _count(e.versions),
    ),
    "S8": Invariant(
        meaning=(
            "payment-state's last record per key is the last version, to the byte, "
            "and says whether the payment is quarantined."
        ),
        unit="payments",
        violations=published_is_stored,
        count=lambda e: len(e.payments.keys() | e.published.keys()),
    ),
    "S11": Invariant(
        meaning="refunds, disputes, calls, quarantines and publications agree with their payments.",
        unit="rows",
        violations=tables_agree,
        count=lambda e: e.tables.count() if e.tables is not None else 0,
    ),
    "S12": Invariant(
        meaning="no webhook of another account than the payment's had an effect.",
        unit="inputs",
        violations=bound_to_one_account,
        count=lambda e: len(e.inbox),
    ),
    "S13": Invariant(
        meaning="every command has one answer, the same at /v1/operations and on its topic.",
        unit="operations",
        violations=every_command_is_answered,
        count=lambda e: len(e.answers.stored) if e.answers is not None else 0,
    ),
    "L1": Invariant(
        meaning="no lag, nothing unpublished, nothing stuck.",
        unit="inputs",
        violations=nothing_waits,
        count=lambda e: len(e.inbox),
    ),
}


def _count(versions: Mapping[str, Sequence[VersionEvidence]]) -> int:
    return sum(map(len, versions.values()))


def check(evidence: Evidence) -> dict[str, list[str]]:
    """Returns every invariant's violations, by its code; empty lists if there are none."""
    return {code: list(invariant.violations(evidence)) for code, invariant in INVARIANTS.items()}
