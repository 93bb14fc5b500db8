"""The state machine of a payment, as one table of data.

The guards, the ``allowed_transitions`` table in Postgres, the OpenAPI enum and the diagram in the
docs are all made from it. Edges skip states on purpose: webhooks arrive in any order, so a success
can be reported before the processing that led to it.
"""

from typing import Final

from msgspec import Struct

from domain.status import Status

CREATED, PROCESSING, REQUIRES_ACTION = Status.CREATED, Status.PROCESSING, Status.REQUIRES_ACTION
AUTHORIZED, SUCCEEDED = Status.AUTHORIZED, Status.SUCCEEDED
FAILED, CANCELED = Status.FAILED, Status.CANCELED

FINAL: Final = frozenset({SUCCEEDED, FAILED, CANCELED})


class Edge(Struct, frozen=True):
    """One allowed change of a payment's status, and the event that causes it."""

    source: Status
    target: Status
    event: str


_ACCEPTED = "the provider accepted it"
_ACTION = "the customer must act, or another payment method is needed"
_AUTHORIZED = "the provider authorized the amount"
_CAPTURED = "the provider captured the money"
_FAILED = "the provider refused it, or cancelled it after the last attempt"
_CANCELED = "the provider cancelled it"

TRANSITIONS: Final[tuple[Edge, ...]] = (
    Edge(CREATED, PROCESSING, _ACCEPTED),
    Edge(CREATED, REQUIRES_ACTION, _ACTION),
    Edge(CREATED, AUTHORIZED, _AUTHORIZED),
    Edge(CREATED, SUCCEEDED, _CAPTURED),
    Edge(CREATED, FAILED, _FAILED),
    Edge(CREATED, CANCELED, _CANCELED),
    Edge(PROCESSING, REQUIRES_ACTION, _ACTION),
    Edge(PROCESSING, AUTHORIZED, _AUTHORIZED),
    Edge(PROCESSING, SUCCEEDED, _CAPTURED),
    Edge(PROCESSING, FAILED, _FAILED),
    Edge(PROCESSING, CANCELED, _CANCELED),
    Edge(REQUIRES_ACTION, PROCESSING, "the customer acted, or the next attempt started"),
    Edge(REQUIRES_ACTION, AUTHORIZED, _AUTHORIZED),
    Edge(REQUIRES_ACTION, SUCCEEDED, _CAPTURED),
    Edge(REQUIRES_ACTION, FAILED, _FAILED),
    Edge(REQUIRES_ACTION, CANCELED, _CANCELED),
    Edge(AUTHORIZED, PROCESSING, "the provider is capturing, or the authorization failed"),
    Edge(AUTHORIZED, REQUIRES_ACTION, "the authorization failed and attempts are left"),
    Edge(AUTHORIZED, SUCCEEDED, _CAPTURED),
    Edge(AUTHORIZED, FAILED, _FAILED),
    Edge(AUTHORIZED, CANCELED, _CANCELED),
)

_ALLOWED: Final = frozenset((edge.source, edge.target) for edge in TRANSITIONS)


def is_allowed(source: Status, target: Status) -> bool:
    """Whether a payment may go from one status to the other (staying is no transition)."""
    return (source, target) in _ALLOWED


def is_final(status: Status) -> bool:
    """Whether a payment in this status can never change its status again."""
    return status in FINAL
