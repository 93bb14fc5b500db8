"""Checks that every command has an answer, in the table and on the topic. Pure: rows in."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from msgspec import Struct

from domain.status import OperationStatus, Outcome
from processor.ops.decoded import Decoded, Unreadable
from schemas.identity import public_operation_id

_STATUSES: Final[Mapping[str, frozenset[str]]] = {
    Outcome.REJECTED: frozenset({OperationStatus.REJECTED}),
    Outcome.APPLIED: frozenset(
        {OperationStatus.APPLIED, OperationStatus.DONE, OperationStatus.REFUSED}
    ),
}


class OperationEvidence(Struct, frozen=True, kw_only=True, gc=False):
    """One row of operations."""

    operation_id: str
    payment_id: str
    status: str
    #: ``digest`` of what is published.
    digest: bytes
    #: Not so recently that its publication may be in flight, and not so long ago that its record
    #: may have left the topic.
    is_due: bool = True


class Answers(Struct, frozen=True, kw_only=True):
    """What there is of operations."""

    #: By operation ID.
    stored: Mapping[str, OperationEvidence] = {}
    #: By operation ID: statuses and digests of the records of ``payment-operations``, in log order.
    published: Mapping[str, Sequence[tuple[str, bytes]]] = {}
    #: By operation ID: the outcome of each command that needs an answer.
    commands: Mapping[str, str] = {}


def unanswered(documents: Mapping[str, Decoded | Unreadable], answers: Answers) -> Iterator[str]:
    """Yields the commands without an answer, and what table and topic say differently."""
    for operation_id, outcome in answers.commands.items():
        row = answers.stored.get(operation_id)
        if row is None:
            yield f"{operation_id} has no answer, its command was {outcome}"
        elif row.status not in _STATUSES[outcome]:
            yield f"{operation_id} is {row.status}, its command was {outcome}"
    yield from _open(documents, answers)
    yield from _published(answers)


def _open(documents: Mapping[str, Decoded | Unreadable], answers: Answers) -> Iterator[str]:
    """An operation is applied as long as its payment's document has it open."""
    open_ = {
        public_operation_id(payment_id, event_id)
        for payment_id, decoded in documents.items()
        if isinstance(decoded, Decoded)
        for event_id in decoded.payment.open_operations
    }
    for row in answers.stored.values():
        decoded = documents.get(row.payment_id)
        is_open = row.operation_id in open_
        if decoded is None and row.status != OperationStatus.REJECTED:
            yield f"{row.operation_id} is {row.status}, and {row.payment_id} does not exist"
        elif isinstance(decoded, Decoded) and is_open != (row.status == OperationStatus.APPLIED):
            yield f"{row.operation_id} is {row.status}, its payment says open: {is_open}"
    for operation_id in sorted(open_ - answers.stored.keys()):
        yield f"{operation_id} is open, and not stored"


def _published(answers: Answers) -> Iterator[str]:
    """Each operation's last record is what is stored, and its statuses follow each other."""
    for operation_id, row in answers.stored.items():
        records = answers.published.get(operation_id, ())
        ended = [each for each in records if each[0] != OperationStatus.APPLIED]
        last = (ended or [*records])[-1:]
        if not last:
            if row.is_due:
                yield f"{operation_id} is {row.status}, and was never published"
        elif row.is_due and last[0] != (row.status, row.digest):
            yield f"{operation_id} is {row.status}, its last record says {last[0][0]}"
    for operation_id, records in answers.published.items():
        finals = {status for status, _ in records} - {OperationStatus.APPLIED}
        if len(finals) > 1:
            yield f"{operation_id} was published as {' and as '.join(sorted(finals))}"
        is_rejected = OperationStatus.REJECTED in finals
        if is_rejected and any(status == OperationStatus.APPLIED for status, _ in records):
            yield f"{operation_id} was published as applied and as rejected"
