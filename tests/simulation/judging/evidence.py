"""The evidence for ``processor.ops.invariants``, from the simulation's memory."""

from domain.status import Outcome
from processor.ops.invariants import (
    Evidence,
    InboxEvidence,
    PaymentEvidence,
    VersionEvidence,
    digest,
)
from processor.ops.operation_invariants import Answers, OperationEvidence
from schemas.identity import public_operation_id
from schemas.topics import PROCESSOR_SOURCES
from tests.simulation.kafka.group import Group
from tests.simulation.kafka.log import Log
from tests.simulation.kafka.publishing import StateTopic
from tests.simulation.postgres.database import Database


def gather(log: Log, database: Database, state: StateTopic, group: Group) -> Evidence:
    """Gathers what ``processor.ops.audit`` gathers from a live system."""
    published_versions: dict[str, list[int]] = {}
    for record in state.records:
        published_versions.setdefault(record.payment_id, []).append(record.version)
    return Evidence(
        log=frozenset(record.position for record in log.all(PROCESSOR_SOURCES)),
        inbox=[
            InboxEvidence(
                event_id=event_id,
                payment_id=row.received.payment_id,
                kind=row.received.kind,
                position=row.received.record.position,
                outcome=row.outcome,
                version=row.version,
            )
            for event_id, row in database.inbox.items()
        ],
        duplicates=list(database.duplicates),
        dead_letters=[p for p in database.dead_letters if p.topic in PROCESSOR_SOURCES],
        payments={
            p.payment_id: PaymentEvidence(
                payment_id=p.payment_id,
                status=p.status,
                version=p.version,
                amount=p.amount,
                authorized=p.authorized,
                captured=p.captured,
                refunded=p.refunded,
                snapshot=database.versions[p.payment_id][-1].published.snapshot,
            )
            for p in database.payments.values()
        },
        versions={
            payment_id: [
                VersionEvidence(
                    payment_id=payment_id,
                    version=v.published.version,
                    previous_status=v.previous_status,
                    status=v.status,
                    event_id=v.event_id,
                )
                for v in versions
            ]
            for payment_id, versions in database.versions.items()
        },
        published={payment_id: digest(record.value) for payment_id, record in state.last.items()},
        published_versions=published_versions,
        quarantined=frozenset(database.quarantines),
        published_quarantined=frozenset(p for p, r in state.last.items() if r.quarantined),
        due_calls=frozenset(key for key, row in database.calls.items() if row.outcome is None),
        documents={p.payment_id: p.document for p in database.payments.values()},
        answers=answers(database, state),
        unpublished=len(database.unpublished),
        unrouted=len(database.unrouted),
        lag=group.lag(),
    )


def answers(database: Database, state: StateTopic) -> Answers:
    """Gathers what became of operations."""
    published: dict[str, list[tuple[str, bytes]]] = {}
    for record in state.operations:
        records = published.setdefault(record.operation_id, [])
        records.append((record.status, digest(record.value)))
    return Answers(
        stored={
            operation_id: OperationEvidence(
                operation_id=operation_id,
                payment_id=row.payment_id,
                status=row.status,
                digest=digest(row.document),
            )
            for operation_id, row in database.operations.items()
        },
        published=published,
        commands={
            public_operation_id(row.received.payment_id, event_id): row.outcome
            for event_id, row in database.inbox.items()
            if row.received.kind.startswith("command.")
            and row.outcome in {Outcome.APPLIED, Outcome.REJECTED}
        },
    )
