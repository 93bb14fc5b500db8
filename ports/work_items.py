"""What the worker takes up: claimed calls, and webhooks whose payment is not known yet."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from domain.call_key import key_of_generation
from domain.calls import ProviderCall


@dataclass(frozen=True, slots=True)
class ClaimedCall:
    """A call that is ours to make until its lease is over."""

    call: ProviderCall
    #: With the call's key, the name of this claim: each claim is one attempt more.
    attempts: int
    generation: int
    key_first_used_at: datetime
    created_at: datetime

    @property
    def key(self) -> str:
        """The idempotency key for the provider."""
        return key_of_generation(self.call.key, self.generation)


@dataclass(frozen=True, slots=True)
class UnroutedWebhook:
    """A webhook without a payment ID; ``payment_id`` once its payment is known."""

    event_id: str
    provider: str
    object_id: str
    headers: Mapping[str, str]
    value: bytes
    payment_id: str | None


@dataclass(frozen=True, slots=True)
class IgnoredWebhook:
    """A webhook about no payment of ours, of a kind without effect on any; and why it is none."""

    webhook: UnroutedWebhook
    kind: str
    reason: str
