"""Folds a batch's inputs over their payments with ``decide``, in the order they came. Pure.

From a batch's read set and its inputs it makes the write set: every row to write.
"""

from collections.abc import Iterable, Mapping, Sequence

from domain.decide import decide, leaves_id_free
from domain.decision import Decision
from domain.facts.waiting import ends_wait
from domain.inputs import CallResult, Release
from domain.on_fact import other_object
from domain.payment import Payment
from domain.status import WAITING, Outcome
from ports.batch import InboxEntry, InboxRow, OperationRow, ReadSet, VersionRow, WriteSet
from ports.failures import describe_error
from ports.records import DecodedInput, RecordOffset, named_object, refusal_id
from runtime.tasks import ANY_ERROR
from schemas.headers import AGAIN


def fold(
    loaded: ReadSet, batch: Sequence[DecodedInput], poisoned: Mapping[str, str] | None = None
) -> WriteSet:
    """Returns the write set of one batch.

    ``poisoned`` gives, by payment ID, why a payment's rows could not be written: each of these
    payments is quarantined.
    """
    return _Fold(loaded, poisoned or {}).run(batch)


class _Fold:
    """The state of one fold."""

    def __init__(self, loaded: ReadSet, poisoned: Mapping[str, str]) -> None:
        self._loaded = loaded
        self._poisoned = {**loaded.unreadable, **poisoned}
        self._payments: dict[str, Payment] = dict(loaded.payments)
        self._quarantined = set(loaded.quarantined)
        self._owners = dict(loaded.owners)
        #: Where each event ID taken in by this batch stands.
        self._first_positions: dict[str, RecordOffset] = {}
        #: Those of them that were decided, or wait for something else than the end of a quarantine.
        self._used_by: dict[str, RecordOffset] = {}
        #: The records that have a row of this batch.
        self._taken: set[RecordOffset] = set()
        #: Records taken in by this batch that are apart, and the event IDs that they leave free.
        self._apart: set[str] = set()
        self._freed: set[str] = set()
        self._parked: dict[str, list[InboxRow]] = {}
        #: Of this batch, what waits because its payment is quarantined.
        self._waiting: dict[str, list[InboxRow]] = {}
        self._decisions = 0
        self._plan = WriteSet()

    def run(self, batch: Iterable[DecodedInput]) -> WriteSet:
        for received in batch:
            if self._is_new(received):
                event_id = received.event_id
                row = InboxRow(
                    received=received,
                    outcome=Outcome.PARKED,
                    reason="",
                    waits_as=event_id if self._known(event_id) is not None else None,
                )
                self._plan.inbox.append(row)
                self._taken.add(received.record.position)
                self._take(row)
            elif AGAIN in received.record.headers:
                self._take_up_again(received.payment_id)
        self._note_open(batch)
        return self._plan

    def _note_open(self, batch: Iterable[DecodedInput]) -> None:
        """Which event IDs are not used up, and which were used by another record than they name.

        Or than the inbox named so far: that one may have been refused only now.
        """
        ended = {}
        for row in self._plan.inbox:
            if not row.apart and row.outcome is not Outcome.PARKED:
                ended[row.received.event_id] = row.received.record.position
        for received in batch:
            event_id = received.event_id
            known = self._loaded.known.get(event_id)
            if event_id in ended:
                named = {received.record.position} | ({known.position} if known else set())
                if named != {ended[event_id]}:
                    self._plan.resolved[event_id] = ended[event_id]
            elif known is None or known.outcome in WAITING or event_id in self._freed:
                self._plan.open.add(event_id)

    def _is_new(self, received: DecodedInput) -> bool:
        position = received.record.position
        refusal = refusal_id(received)
        if refusal in self._loaded.known or refusal in self._apart:
            same = self._loaded.known.get(refusal)
            if same is not None and same.publication_id is not None:
                self._plan.redelivered.add(same.publication_id)
            return False  # the very same record, again
        known = self._known(received.event_id)
        if known is None:
            first = self._first_positions.get(received.event_id)
            if first is None:
                self._first_positions[received.event_id] = position
                return True
            # around a rebalance a batch may hold the very same record twice: it is one record
            if first != position:
                self._plan.duplicates.append(received)
            return False
        if known.position != position:
            self._plan.duplicates.append(received)
            return False
        if known.publication_id is not None:
            self._plan.redelivered.add(known.publication_id)
        # a parked record that comes again after its payment came: it still has to be applied
        payment_id = received.payment_id
        free = payment_id in self._payments and payment_id not in self._quarantined
        if (
            known.outcome is not Outcome.PARKED
            or not free
            or received.event_id in self._first_positions
        ):
            return False
        self._first_positions[received.event_id] = position
        return True

    def _known(self, event_id: str) -> InboxEntry | None:
        return None if event_id in self._freed else self._loaded.known.get(event_id)

    def _take(self, row: InboxRow) -> None:
        if self._is_superseded(row):
            self._supersede(row)
            return
        self._decisions += 1
        row.ordinal = self._decisions
        payment_id = row.received.payment_id
        if payment_id in self._quarantined and isinstance(row.received.input.body, Release):
            self._release(row)
            return
        foreign = self._foreign(row.received)
        begins = payment_id in self._poisoned and payment_id not in self._quarantined
        if begins and foreign is None:
            self._quarantine_failure(row, self._poisoned[payment_id])
            return
        has_effect_here = foreign is None and not leaves_id_free(row.received.input.body)
        if payment_id in self._quarantined and has_effect_here:
            row.outcome, row.reason = Outcome.PARKED, "the payment is quarantined for an operator"
            if row.received.failure is not None:
                self._set_apart(row)
            self._waiting.setdefault(payment_id, []).append(row)
            return
        if row.received.failure is not None and foreign is None:
            self._quarantine_failure(row, row.received.failure)
            return
        payment = self._payments.get(payment_id)
        try:
            decision = (
                foreign
                or _of_unknown_account(row.received, payment)
                or decide(payment, row.received.input, payment_id)
            )
        except ANY_ERROR as error:  # our own bug: quarantine this payment, go on with others
            self._quarantine_failure(row, describe_error(error))
            return
        if decision.outcome is Outcome.QUARANTINED:
            self._quarantine(row, decision.reason, decision.reason)
            return
        if _is_misrouted(row.received, payment, decision):
            self._plan.misrouted.append(row.received)
        self._apply(row, payment, decision)

    def _other_object(
        self, received: DecodedInput, payment: Payment | None, object_id: str
    ) -> Decision | None:
        """A conflict, where a webhook would wait for a quarantine to end, but not for its object.

        Whose object it is may become known before the quarantine ends.
        """
        is_result = isinstance(received.input.body, CallResult)
        if is_result or payment is None:
            return None
        if payment.id not in self._quarantined and payment.id not in self._poisoned:
            return None
        reason = other_object(payment, object_id)
        if reason is None:
            return None
        return Decision(outcome=Outcome.CONFLICT, reason=reason, payment=payment, refused=True)

    def _foreign(self, received: DecodedInput) -> Decision | None:
        """A conflict, where the input names an object that another payment owns."""
        payment = self._payments.get(received.payment_id)
        if payment is not None and received.provider not in {None, payment.provider}:
            return _of_other_account(received, payment)
        object_id = named_object(received)
        provider = received.provider if payment is None else payment.provider
        if provider is None or object_id is None:
            return None
        owner = self._owners.get((provider, object_id))
        if owner is None:
            return self._other_object(received, payment, object_id)
        if owner == received.payment_id:
            return None
        # neither by name: the other may be another tenant's, and the reason is in the timeline
        reason = "the provider's object that it names belongs to another payment"
        return Decision(outcome=Outcome.CONFLICT, reason=reason, payment=payment, refused=True)

    def _is_superseded(self, row: InboxRow) -> bool:
        """Whether a record that waited finds its event ID used up by another record.

        Not by one that waits beside it: of these the first one that can be decided uses it.
        """
        received = row.received
        position = received.record.position
        if self._used_by.get(received.event_id, position) != position:
            return True
        known = self._known(received.event_id) if row.waiting else None
        if known is None or known.position == position:
            return False
        beside = self._loaded.parked.get(received.payment_id, ())
        return all(known.position != each.record.position for each in beside)

    def _supersede(self, row: InboxRow) -> None:
        """Makes the record a duplicate; a row that it has in the inbox goes."""
        self._plan.inbox = [each for each in self._plan.inbox if each is not row]
        self._plan.duplicates.append(row.received)
        if row.waits_as is not None:
            self._plan.superseded[row.waits_as] = row.received.payment_id

    def _quarantine_failure(self, row: InboxRow, error: str) -> None:
        self._quarantine(row, f"our own code failed: {error}", error)

    def _quarantine(self, row: InboxRow, reason: str, error: str) -> None:
        payment_id = row.received.payment_id
        row.outcome, row.reason = Outcome.QUARANTINED, reason
        self._set_apart(row)
        self._quarantined.add(payment_id)
        self._plan.quarantines[payment_id] = (row.received.event_id, error)
        self._plan.announced[payment_id] = row.received.record.position.partition
        self._waiting.setdefault(payment_id, []).append(row)

    def _release(self, row: InboxRow) -> None:
        """Ends the quarantine and processes what waited; another failure quarantines it again."""
        payment_id, row.outcome = row.received.payment_id, Outcome.APPLIED
        why = self._poisoned.get(payment_id)
        if why is not None:
            # what waits may be unreadable or can't be written: it stays as it is, and so does the
            # event that it waits for
            if payment_id in self._loaded.quarantined:
                self._plan.renewed[payment_id] = (row.received.event_id, why)
            row.reason = "nothing was taken up, the payment is quarantined again"
            return
        if payment_id in self._loaded.quarantined:
            self._plan.released.add(payment_id)
        self._quarantined.discard(payment_id)
        self._plan.quarantines.pop(payment_id, None)
        self._plan.announced[payment_id] = row.received.record.position.partition
        before = self._payments.get(payment_id)
        waited = [*self._waited(payment_id), *self._waiting.pop(payment_id, ())]
        for each in waited:
            self._take(each)
        after = self._payments.get(payment_id)
        if after is not None and after is not before:
            row.version = after.version
        again = ", and it is quarantined again" if payment_id in self._quarantined else ""
        row.reason = f"the payment was released; inputs taken up: {len(waited)}{again}"

    def _apply(self, row: InboxRow, before: Payment | None, decision: Decision) -> None:
        row.outcome, row.reason = decision.outcome, decision.reason
        if decision.refused:
            self._set_apart(row)
        else:
            self._use_id(row)
        after = decision.payment
        payment_id = row.received.payment_id
        partition = row.received.record.position.partition
        for change in decision.operations:
            row.changes_operations = True
            self._plan.operations.append(OperationRow(payment_id, change, partition))
        if decision.outcome is Outcome.PARKED:
            self._parked.setdefault(payment_id, []).append(row)
        if decision.urgent_call is not None:
            self._plan.urgent.add(decision.urgent_call)
        if after is None or after is before:
            return
        row.version = after.version
        self._payments[payment_id] = self._plan.payments[payment_id] = after
        stored = self._loaded.payments.get(payment_id)
        if stored is not None:
            self._plan.stored[payment_id] = stored
        self._plan.calls.extend(decision.provider_calls)
        if before is None or after.version > before.version:
            previous = before.status if before is not None else None
            self._plan.versions.append(
                VersionRow(after, previous, row.received.event_id, partition)
            )
        if after.object_id is not None and (before is None or before.object_id is None):
            found = (after.provider, after.object_id)
            self._owners[found] = self._plan.identified[found] = payment_id
        if ends_wait(before, after):
            self._take_parked(payment_id)

    def _set_apart(self, row: InboxRow) -> None:
        """Leaves the event ID to another record of the event."""
        row.apart = True
        self._apart.add(row.event_id)
        event_id, position = row.received.event_id, row.received.record.position
        known = self._loaded.known.get(event_id)
        if known is None or known.position == position:
            self._freed.add(event_id)
        for taken in (self._first_positions, self._used_by):
            if taken.get(event_id) == position:
                del taken[event_id]

    def _use_id(self, row: InboxRow) -> None:
        """Uses the event ID up: no other record of the event is decided."""
        if row.apart:
            row.apart = False
            self._apart.discard(refusal_id(row.received))
        event_id = row.received.event_id
        self._first_positions[event_id] = self._used_by[event_id] = row.received.record.position

    def _take_parked(self, payment_id: str) -> None:
        """What parked inputs waited for is here: they are taken up in order."""
        for row in [*self._waited(payment_id), *self._parked.pop(payment_id, ())]:
            self._take(row)

    def _take_up_again(self, payment_id: str) -> None:
        """A record that waits was sent again: its account has become known."""
        if payment_id not in self._quarantined:
            self._take_parked(payment_id)

    def _waited(self, payment_id: str) -> list[InboxRow]:
        """The stored rows that wait for the payment, as rows of this batch; each of them once."""
        waited = []
        for received in self._loaded.parked.get(payment_id, ()):
            event_id, position = received.event_id, received.record.position
            known_by = refusal_id(received)
            if position in self._taken:
                continue
            self._taken.add(position)
            is_apart = known_by in self._loaded.known
            if not is_apart:
                self._first_positions[event_id] = position
            row = InboxRow(
                received=received,
                outcome=Outcome.PARKED,
                reason="",
                waits_as=known_by if is_apart else event_id,
                apart=is_apart,
            )
            waited.append(row)
        self._plan.inbox.extend(waited)
        return waited


def _of_other_account(received: DecodedInput, payment: Payment) -> Decision:
    """What came for another account than the payment's has no effect, whatever it names.

    Anybody with an account at the provider can write our payment ID on an object there.
    """
    reason = f"it came for account {received.provider}, but this payment's is another"
    return Decision(outcome=Outcome.CONFLICT, reason=reason, payment=payment, refused=True)


def _of_unknown_account(received: DecodedInput, payment: Payment | None) -> Decision | None:
    """What came for an account that this program does not know yet waits until it does."""
    if not received.of_unknown_account:
        return None
    reason = f"the file of accounts, as the stream has it, has no account {received.provider} yet"
    return Decision(outcome=Outcome.PARKED, reason=reason, payment=payment)


def _is_misrouted(received: DecodedInput, payment: Payment | None, decision: Decision) -> bool:
    """Whether a webhook is refused because its object is not, or not yet, this payment's.

    The payment that has the object, now or later, gets it.
    """
    if decision.outcome is not Outcome.CONFLICT or not decision.refused:
        return False
    object_id = named_object(received)
    own = payment.object_id if payment is not None else None
    is_webhook = not isinstance(received.input.body, CallResult)
    return is_webhook and object_id is not None and object_id != own
