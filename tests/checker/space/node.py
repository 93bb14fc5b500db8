"""The states that the search visits: everything that a payment's future depends on."""

from dataclasses import dataclass

from msgspec.structs import replace

from domain.payment import Payment
from postgres.documents import decode_payment, encode_payment

_NONE: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Node:
    """A payment and the inputs that were delivered so far. Hashable, canonical.

    A node leaves out what no later decision can depend on:

    - the payment's version and ``updated_at``: a counter and a maximum, which ``decide`` advances
      and never reads. The document has their first values. Each step is still checked to add one
      version exactly when the published payment changes.
    - which record carried an input, and its publication: ``fold`` only compares a record's position
      with the one it knows. Both kinds of repeats are tried at every node and must change nothing,
      so a node does not count how often an input has come.
    - commands that were rejected: their record is known from then on and has no effect. A repeated
      command is another record, so it may come at the next node too.
    - the order in which inputs were accepted, except which failures came before each confirm.
    - the order of the inputs that wait for the create: they are applied in that order once it is
      here, which is the order of a path after the create. Each such step is tried both ways.

    Numbers are those of the script's inputs.
    """

    #: The payment as Postgres stores it; empty while it does not exist.
    document: str = ""
    #: Inputs that are parked.
    waiting: frozenset[int] = _NONE
    #: Inputs that were applied or stale.
    accepted: frozenset[int] = _NONE
    #: Inputs that were recorded as conflicts or ignored.
    without_effect: frozenset[int] = _NONE
    #: Of those, inputs refused for their binding or form: their event IDs are not used up.
    refused: frozenset[int] = _NONE
    #: By accepted confirm: the failures that were accepted before it.
    failures_before: tuple[frozenset[int], ...] = ()

    @property
    def delivered(self) -> frozenset[int]:
        """All inputs that were delivered."""
        return self.waiting | self.accepted | self.without_effect


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
    """Return the payment as Postgres stores it, as if this were its first version."""
    return encode_payment(replace(payment, version=1, updated_at=payment.created_at))
