"""S4 and S7: compares the stored state with a second decision of the log and with the oracle."""

from collections.abc import Iterator

from domain.decide import decide
from domain.inputs import Input, Release
from domain.payment import Payment
from domain.status import Outcome
from domain.view import refundable
from ports.records import RecordOffset
from postgres.documents import decode_payment
from tests.domain.histories.replay import published_meaning
from tests.oracle import left_to_refund, meaning_of
from tests.simulation.judging.violation import Violation
from tests.simulation.postgres.database import Database, InboxRow

_ACCEPTED = (Outcome.APPLIED, Outcome.STALE)
#: The store gives this reason; ``decide`` does not know it.
_OTHER_OWNER = "belongs to another payment"


class _Refold:
    """Decides the recorded inputs again, from an empty state."""

    def __init__(self) -> None:
        self.payments: dict[str, Payment] = {}
        self.accepted: dict[str, list[Input]] = {}
        self.outcomes: dict[RecordOffset, Outcome] = {}

    def decide(self, row: InboxRow) -> None:
        """Decides one row; call it in the order of decisions."""
        received = row.received
        payment_id, position = received.payment_id, received.record.position
        payment = self.payments.get(payment_id)
        is_foreign = payment is not None and received.provider not in {None, payment.provider}
        if is_foreign or (row.outcome is Outcome.CONFLICT and _OTHER_OWNER in row.reason):
            self.outcomes[position] = Outcome.CONFLICT
            return
        decision = decide(payment, received.input, payment_id)
        if decision.payment is not None:
            self.payments[payment_id] = decision.payment
        self.outcomes[position] = decision.outcome
        if decision.outcome in _ACCEPTED:
            self.accepted.setdefault(payment_id, []).append(received.input)


def refolded(database: Database) -> Iterator[Violation]:
    """S7: a rebuild from the log equals the stored state. S4: so does the oracle's state."""
    again = _Refold()
    rows = [r for r in database.inbox.values() if not isinstance(r.received.input.body, Release)]
    for row in sorted(rows, key=lambda row: row.decided):
        again.decide(row)
    for row in rows:
        event_id = row.received.event_id
        found = again.outcomes[row.received.record.position]
        if found is not row.outcome:
            what = f"{event_id} was {row.outcome}, and is {found} when decided again"
            yield Violation("S7", row.received.payment_id, what)
    for payment_id, stored in database.payments.items():
        payment = decode_payment(stored.document)
        if payment != again.payments.get(payment_id):
            yield Violation("S7", payment_id, "decided again, it differs from the stored state")
        expected = meaning_of(payment_id, again.accepted[payment_id])
        if published_meaning(payment) != expected:
            what = f"it is {published_meaning(payment)}, the oracle has {expected}"
            yield Violation("S4", payment_id, what)
        left = left_to_refund(payment_id, again.accepted[payment_id])
        if refundable(payment) != left:
            what = f"{refundable(payment)} is left to refund, the oracle has {left}"
            yield Violation("S4", payment_id, what)
