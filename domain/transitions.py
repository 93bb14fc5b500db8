"""The state machine of a payment, as one table of data.

The guards, the ``allowed_transitions`` table in Postgres, the OpenAPI enum and the diagram in the
docs all come from here. Edges skip states on purpose: a provider's webhooks come in any order, so a
payment may be told it succeeded before it is told it is processing.
"""

from typing import Final

from msgspec import Struct

from domain.status import Status

CREATED, PROCESSING, REQUIRES_ACTION = Status.CREATED, Status.PROCESSING, Status.REQUIRES_ACTION
AUTHORIZED, SUCCEEDED = Status.AUTHORIZED, Status.SUCCEEDED
FAILED, CANCELED = Status.FAILED, Status.CANCELED

FINAL: Final = frozenset({SUCCEEDED, FAILED, CANCELED})


class Edge(Struct, frozen=True):
    """One allowed change of a payment's status, and the event that brings it."""

    source: Status
    target: Status
    event: str


_ACCEPTED = "the provider has it"
_ACTION = "the customer must act, or give another payment method"
_HELD = "the provider holds the money"
_CAPTURED = "the provider has captured the money"
_HOPELESS = "the provider refused it, or cancelled it after the last attempt"
_CANCELED = "the provider has cancelled it"

TRANSITIONS: Final[tuple[Edge, ...]] = (
    Edge(CREATED, PROCESSING, _ACCEPTED),
    Edge(CREATED, REQUIRES_ACTION, _ACTION),
    Edge(CREATED, AUTHORIZED, _HELD),
    Edge(CREATED, SUCCEEDED, _CAPTURED),
    Edge(CREATED, FAILED, _HOPELESS),
    Edge(CREATED, CANCELED, _CANCELED),
    Edge(PROCESSING, REQUIRES_ACTION, _ACTION),
    Edge(PROCESSING, AUTHORIZED, _HELD),
    Edge(PROCESSING, SUCCEEDED, _CAPTURED),
    Edge(PROCESSING, FAILED, _HOPELESS),
    Edge(PROCESSING, CANCELED, _CANCELED),
    Edge(REQUIRES_ACTION, PROCESSING, "the customer acted, or the next attempt began"),
    Edge(REQUIRES_ACTION, AUTHORIZED, _HELD),
    Edge(REQUIRES_ACTION, SUCCEEDED, _CAPTURED),
    Edge(REQUIRES_ACTION, FAILED, _HOPELESS),
    Edge(REQUIRES_ACTION, CANCELED, _CANCELED),
    Edge(AUTHORIZED, PROCESSING, "the provider is capturing, or the authorization failed"),
    Edge(AUTHORIZED, REQUIRES_ACTION, "the authorization failed and attempts are left"),
    Edge(AUTHORIZED, SUCCEEDED, _CAPTURED),
    Edge(AUTHORIZED, FAILED, _HOPELESS),
    Edge(AUTHORIZED, CANCELED, _CANCELED),
)

_ALLOWED: Final = frozenset((edge.source, edge.target) for edge in TRANSITIONS)


def is_allowed(source: Status, target: Status) -> bool:
    """Whether a payment may go from one status to the other (staying is no transition)."""
    return (source, target) in _ALLOWED


def is_final(status: Status) -> bool:
    """Whether a payment in this status can never change its status again."""
    return status in FINAL
