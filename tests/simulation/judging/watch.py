"""The checks during a run, at every commit, publication and committed offset."""

from collections.abc import Mapping, Sequence
from typing import Final

from domain.status import Outcome
from domain.transitions import is_allowed, is_final
from ports.batch import InboxRow
from ports.records import UNREAD, RecordOffset
from schemas.topics import PROVIDER_WEBHOOKS
from tests.simulation.faults import Chance
from tests.simulation.judging.violation import Violation
from tests.simulation.kafka.log import Place
from tests.simulation.kafka.publishing import StateRecord
from tests.simulation.outside.wrong_bindings import OF_NOBODY
from tests.simulation.postgres.changes import Changes
from tests.simulation.postgres.database import Database, VersionRow
from tests.simulation.trace import Trace


class Watch:
    """Checks every change that becomes visible, and collects ``violations``."""

    def __init__(self, database: Database, chance: Chance, trace: Trace) -> None:
        self._database = database
        self._met = chance.met
        self._trace = trace
        self._published: dict[str, int] = {}
        #: The positions of all records with an outcome.
        self._recorded: set[RecordOffset] = set()
        self.violations: Final[list[Violation]] = []

    def found(self, code: str, payment_id: str, what: str) -> None:
        """Records a violation."""
        self.violations.append(Violation(code, payment_id, what))
        self._trace.note("VIOLATED", payment_id, f"{code}: {what}")

    def commit(self, changes: Changes) -> None:
        """Checks a transaction that is about to be committed."""
        for payment_id in dict.fromkeys(v.published.payment_id for v in changes.versions):
            self._versions(
                payment_id, [v for v in changes.versions if v.published.payment_id == payment_id]
            )
        for row in changes.order:
            self._note(row.received.payment_id, row.received.event_id, row.outcome, row.reason)
            self._binding(row, changes)
            self._recorded.add(row.received.record.position)
        for payment_id, (_, error) in (*changes.quarantines.items(), *changes.renewed.items()):
            if payment_id not in self._database.poisoned:
                self.found("HELD", payment_id, error)
        self._met["quarantine released"] += len(changes.released)
        for received in changes.duplicates:
            self._note(received.payment_id, received.event_id, Outcome.DUPLICATE, "")
            self._recorded.add(received.record.position)
        self._recorded.update(letter.record.position for letter in changes.dead_letters)
        self._met["dead letter"] += len(changes.dead_letters)

    def _note(self, payment_id: str, event_id: str, outcome: Outcome, reason: str) -> None:
        self._met[f"outcome {outcome}"] += 1
        self._trace.note("decided", payment_id, f"{event_id} {outcome} {reason}".rstrip())

    def _binding(self, row: InboxRow, changes: Changes) -> None:
        """S12: only events of its own account and mode have an effect on a payment."""
        received = row.received
        if (
            row.outcome is not Outcome.APPLIED
            or received.record.position.topic != PROVIDER_WEBHOOKS
        ):
            return
        payment_id, account = received.payment_id, received.kind.partition(".")[0]
        payment = changes.payments.get(payment_id) or self._database.payments.get(payment_id)
        is_wrong = OF_NOBODY in received.event_id
        if is_wrong or (payment is not None and payment.provider != account != UNREAD):
            self.found("S12", payment_id, f"{received.event_id} of account {account} was applied")

    def _versions(self, payment_id: str, new: Sequence[VersionRow]) -> None:
        """S3: no gaps in versions, only allowed transitions, final states never change."""
        stored = self._database.payments.get(payment_id)
        status = None if stored is None else stored.status
        known = 0 if stored is None else stored.version
        for version in new:
            known += 1
            if version.published.version != known:
                what = f"version {version.published.version} follows {known - 1}"
                self.found("S3", payment_id, what)
            if version.previous_status is not status:
                self.found("S3", payment_id, f"follows {version.previous_status}, not {status}")
            to = version.status
            if status is not None and to is not status:
                self._met[f"{status} to {to}"] += 1
                if not is_allowed(status, to):
                    final = " (final)" if is_final(status) else ""
                    self.found("S3", payment_id, f"went from {status}{final} to {to}")
            status = to

    def publish(self, records: list[StateRecord]) -> None:
        """S8: checks a transaction of payment-state that has become visible."""
        for record in records:
            self._trace.note("published", record.payment_id, f"version {record.version}")
            versions = self._database.versions.get(record.payment_id, ())
            stored = versions[record.version - 1 : record.version]
            if not stored or stored[0].published.snapshot != record.value:
                self.found("S8", record.payment_id, f"published but not stored: {record.version}")
        for payment_id, version in {r.payment_id: r.version for r in records}.items():
            latest = self._published.get(payment_id, 0)
            if version < latest:
                self.found("S8", payment_id, f"version {version} follows {latest}")
            highest = max(r.version for r in records if r.payment_id == payment_id)
            self._published[payment_id] = max(latest, highest)

    def offsets(self, before: Mapping[Place, int], after: Mapping[Place, int]) -> None:
        """S8: a committed offset means a committed outcome of everything before it."""
        for (topic, partition), offset in after.items():
            for passed in range(before.get((topic, partition), 0), offset):
                position = RecordOffset(topic, partition, passed)
                if position not in self._recorded:
                    self.found(
                        "S8", "", f"{position} is committed as processed, but has no outcome"
                    )
