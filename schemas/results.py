"""Values of ``provider-results``: the results of provider calls."""

from typing import Literal, Self

from pydantic import model_validator

from domain.call_key import Operation
from schemas.model import Model, PaymentId, ShortText, UtcTime


class Refusal(Model):
    """Why the provider definitively refused: its code and its message."""

    code: ShortText
    message: str


class ProviderResult(Model):
    """An acknowledgement with the provider's object, or a definitive refusal. Never a success.

    A call with an unknown outcome has no result yet: it is retried or looked up until it has one.
    """

    event_id: ShortText
    payment_id: PaymentId
    provider: ShortText
    #: Identifies the call. It is also its idempotency key.
    call_key: ShortText
    operation: Operation
    outcome: Literal["acknowledged", "refused"]
    object_id: ShortText | None = None
    refusal: Refusal | None = None
    received_at: UtcTime

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.outcome == "acknowledged") != (self.object_id is not None):
            raise ValueError("send object_id if and only if outcome is 'acknowledged'")
        if (self.outcome == "refused") != (self.refusal is not None):
            raise ValueError("send refusal if and only if outcome is 'refused'")
        return self
