"""What the future of a payment depends on: the states the search goes through."""

from dataclasses import dataclass

from msgspec.structs import replace

from domain.payment import Payment
from postgres.documents import decode_payment, encode_payment

_NONE: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Node:
    """A payment as far as it has come, and what has come of its history. Hashable, canonical.

    Left out, because nothing that comes later can depend on it:

    - the payment's version and ``updated_at``: a counter and a maximum, which ``decide`` adds to
      and never reads. The document has their first values; each step is still held to adding
      one, exactly where the published payment changes.
    - which record brought an input, and with which publication: ``fold`` compares a record's place
      with the one it knows, and no more. Both kinds of repeats are tried at every node and held to
      change nothing, so how often an input has come is no part of a node.
    - commands that were rejected: their record is known from then on and has no effect. A repeated
      command is another record, so it may come at the next node too.
    - the order in which things were taken in, but for the one thing of it the oracle looks at.
    - the order of what waits for the create: it is applied in that order once the create is here,
      so it is the order of a path behind the create; each step of these is tried both ways round.

    Numbers are those of the script's inputs.
    """

    #: The payment as Postgres keeps it; empty while it is not here.
    document: str = ""
    #: What is parked until the payment is here.
    waiting: frozenset[int] = _NONE
    #: What was applied, or stale.
    taken: frozenset[int] = _NONE
    #: What was recorded as a conflict, or ignored.
    aside: frozenset[int] = _NONE
    #: Of those, what was refused for its binding or its form: its event ID is not used up.
    refused: frozenset[int] = _NONE
    #: By accepted confirm: the failures that were taken in before it.
    answers: tuple[frozenset[int], ...] = ()

    @property
    def delivered(self) -> frozenset[int]:
        """All that has come."""
        return self.waiting | self.taken | self.aside


class Payments:
    """Payments by document, each decoded once."""

    def __init__(self) -> None:
        self._decoded: dict[str, Payment] = {}

    def __getitem__(self, document: str) -> Payment:
        """Return the payment of a document."""
        payment = self._decoded.get(document)
        if payment is None:
            payment = self._decoded[document] = decode_payment(document)
        return payment


def document_of(payment: Payment) -> str:
    """Return the payment as Postgres keeps it, as if this were its first version."""
    return encode_payment(replace(payment, version=1, updated_at=payment.created_at))
