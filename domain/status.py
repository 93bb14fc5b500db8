"""The statuses of payments, refunds and disputes, and the outcomes of inputs."""

from enum import StrEnum
from typing import Final


class Status(StrEnum):
    """The status of a payment. SUCCEEDED, FAILED and CANCELED are final and never change."""

    CREATED = "CREATED"
    PROCESSING = "PROCESSING"
    REQUIRES_ACTION = "REQUIRES_ACTION"
    AUTHORIZED = "AUTHORIZED"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"


class RefundStatus(StrEnum):
    """The status of a refund. A succeeded refund can still fail: the bank may return it."""

    REQUESTED = "REQUESTED"
    PENDING = "PENDING"
    REQUIRES_ACTION = "REQUIRES_ACTION"
    SUCCEEDED = "SUCCEEDED"
    CANCELED = "CANCELED"
    FAILED = "FAILED"


class DisputeStatus(StrEnum):
    """The status of a dispute. A lost one can be appealed, and won; an inquiry can come back."""

    WARNING_NEEDS_RESPONSE = "WARNING_NEEDS_RESPONSE"
    WARNING_UNDER_REVIEW = "WARNING_UNDER_REVIEW"
    NEEDS_RESPONSE = "NEEDS_RESPONSE"
    UNDER_REVIEW = "UNDER_REVIEW"
    WARNING_CLOSED = "WARNING_CLOSED"
    PREVENTED = "PREVENTED"
    LOST = "LOST"
    WON = "WON"


class MovementKind(StrEnum):
    """Why disputed money moved."""

    WITHDRAWN = "withdrawn"
    REINSTATED = "reinstated"
    ADJUSTED = "adjusted"  # a correction of either, such as of an exchange rate; no decision


class Outcome(StrEnum):
    """The outcome of one input. Every record in the log ends in exactly one of these."""

    APPLIED = "applied"
    DUPLICATE = "duplicate"  # this event ID was already processed
    STALE = "stale"  # a newer fact was already applied
    PARKED = "parked"  # its payment isn't here yet (or is quarantined); applied when it is
    REJECTED = "rejected"  # a command the state forbids
    CONFLICT = "conflict"  # contradicts a final state, or is about another payment's object
    IGNORED = "ignored"  # a kind of event that has no effect on a payment
    QUARANTINED = "quarantined"  # our own code failed on it


class OperationStatus(StrEnum):
    """How far a client's operation is. REJECTED, DONE and REFUSED are final and never change."""

    ACCEPTED = "accepted"  # in the log, not decided yet
    APPLIED = "applied"  # the payment allows it; the provider is asked
    REJECTED = "rejected"  # the payment does not allow it
    DONE = "done"  # the provider has it; what it led to, the payment says
    REFUSED = "refused"  # the provider refused it, or the payment ended before it was asked


class RejectionCode(StrEnum):
    """Why a command was rejected, for programs. A code never changes its meaning."""

    UNKNOWN_PAYMENT = "unknown_payment"
    VERSION_MISMATCH = "version_mismatch"
    KEY_REUSED = "idempotency_key_reused"
    WRONG_STATUS = "wrong_status"
    ACTION_NEEDED = "customer_action_needed"
    CANCEL_REQUESTED = "cancel_requested"
    CAPTURE_REQUESTED = "capture_requested"
    AMOUNT_TOO_LARGE = "amount_too_large"
    AMOUNT_UNKNOWN = "amount_unknown"
    ALREADY_EXISTS = "already_exists"
    LIMIT_REACHED = "limit_reached"
    NOT_EXPIRED = "not_expired"


#: The code of an operation that was not sent to the provider, because the payment ended before.
PAYMENT_ENDED: Final = "payment_ended"

#: The outcomes of inputs that wait: their records are kept, to be decided again.
WAITING: Final = frozenset({Outcome.PARKED, Outcome.QUARANTINED})


class ProviderStatus(StrEnum):
    """The status of the provider's payment object, independent of any provider's names."""

    OPEN = "open"  # exists, nothing tried yet
    ACTION_NEEDED = "action_needed"  # the customer has to do something
    PENDING = "pending"  # the provider is working on it
    ATTEMPT_FAILED = "attempt_failed"  # this attempt failed; another may succeed
    AUTHORIZED = "authorized"  # the money is reserved, to be captured
    SUCCEEDED = "succeeded"  # terminal: captured
    CANCELED = "canceled"  # terminal: can no longer succeed


class CancelCause(StrEnum):
    """Why a payment was cancelled at the provider."""

    ATTEMPTS_EXHAUSTED = "attempts_exhausted"  # our request, after the last attempt failed
    REQUESTED = "requested"  # our request, for the client or because it expired
    PROVIDER = "provider"  # by the provider itself, or by a person in its dashboard
