"""Values of ``provider-results``: what a call to the provider came to."""

from typing import Literal, Self

from pydantic import model_validator

from domain.call_key import Operation
from schemas.model import Model, PaymentId, ShortText, UtcTime


class Refusal(Model):
    """Why the provider definitely refused, in its own code and words."""

    code: ShortText
    message: str


class ProviderResult(Model):
    """An acknowledgement (the provider's object) or a definite refusal; never a success.

    A call whose outcome is unknown has no result yet: it is retried or looked up until it has one.
    """

    event_id: ShortText
    payment_id: PaymentId
    provider: ShortText
    #: The call's idempotency key, which names the call.
    call_key: ShortText
    operation: Operation
    outcome: Literal["acknowledged", "refused"]
    object_id: ShortText | None = None
    refusal: Refusal | None = None
    received_at: UtcTime

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.outcome == "acknowledged") != (self.object_id is not None):
            raise ValueError("object_id goes with outcome 'acknowledged', and only with it")
        if (self.outcome == "refused") != (self.refusal is not None):
            raise ValueError("refusal goes with outcome 'refused', and only with it")
        return self
