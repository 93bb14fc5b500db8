"""S4 and S7: everything recorded is decided a second time from nothing, and by the oracle."""

from collections.abc import Iterator, Sequence

from processor.domain.decide import decide
from processor.domain.inputs import Input
from processor.domain.payment import Payment
from processor.domain.status import Outcome
from processor.store.documents import decode_payment
from tests.domain.replay import meaning_told_by
from tests.oracle import meaning_of
from tests.simulation.database import Database, InboxRow
from tests.simulation.violation import Violation

#: Event ID, whether it had waited, and its outcome; in the order in which they were decided.
Transaction = Sequence[tuple[str, bool, Outcome]]
_TAKEN_IN = (Outcome.APPLIED, Outcome.STALE)
#: Only the store can know this; ``decide`` can't.
_ANOTHERS = "belongs to another payment"


class _Refold:
    """Decides everything anew."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.payments: dict[str, Payment] = {}
        self.taken_in: dict[str, list[Input]] = {}
        self.outcomes: dict[str, Outcome] = {}

    def transaction(self, rows: Transaction) -> None:
        """What came before its payment in the same transaction is decided once the payment is here.

        It then comes after what had waited for longer, which follows the create directly.
        """
        early: dict[str, list[InboxRow]] = {}
        just_created: set[str] = set()
        for event_id, waited, outcome in rows:
            row = self._database.inbox[event_id]
            payment_id = row.received.payment_id
            if payment_id in self._database.holds:
                continue
            if payment_id not in self.payments:
                if self._decide(row) is Outcome.PARKED and outcome is not Outcome.PARKED:
                    early.setdefault(payment_id, []).append(row)
                elif payment_id in self.payments:
                    just_created.add(payment_id)
                continue
            if payment_id in just_created and not waited:
                just_created.discard(payment_id)
                self._all(early.pop(payment_id, []))
            self._decide(row)
        for rows_left in early.values():
            self._all(rows_left)

    def _all(self, rows: Sequence[InboxRow]) -> None:
        for row in rows:
            self._decide(row)

    def _decide(self, row: InboxRow) -> Outcome:
        received = row.received
        payment_id, event_id = received.payment_id, received.event_id
        if row.outcome is Outcome.CONFLICT and _ANOTHERS in row.reason:
            self.outcomes[event_id] = Outcome.CONFLICT
            return Outcome.CONFLICT
        decision = decide(self.payments.get(payment_id), received.input, payment_id)
        if decision.payment is not None:
            self.payments[payment_id] = decision.payment
        self.outcomes[event_id] = decision.outcome
        if decision.outcome in _TAKEN_IN:
            self.taken_in.setdefault(payment_id, []).append(received.input)
        return decision.outcome


def refolded(database: Database, decided: Sequence[Transaction]) -> Iterator[Violation]:
    """S7: a rebuild from the log is what is stored. S4: and it is what the oracle says."""
    again = _Refold(database)
    for rows in decided:
        again.transaction(rows)
    for event_id, row in database.inbox.items():
        found = again.outcomes.get(event_id)
        if row.received.payment_id not in database.holds and found is not row.outcome:
            what = f"{event_id} was {row.outcome}, and is {found} when decided again"
            yield Violation("S7", row.received.payment_id, what)
    for payment_id, stored in database.payments.items():
        if payment_id in database.holds:
            continue
        payment = decode_payment(stored.document)
        if payment != again.payments.get(payment_id):
            yield Violation("S7", payment_id, "decided again, it is not what is stored")
        expected = meaning_of(payment_id, again.taken_in[payment_id])
        if meaning_told_by(payment) != expected:
            what = f"it is {meaning_told_by(payment)}, the oracle says {expected}"
            yield Violation("S4", payment_id, what)
