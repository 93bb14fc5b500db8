"""The worker's items: claimed calls, and webhooks whose payment is not known yet."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from domain.call_key import key_of_generation
from domain.calls import ProviderCall


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedCall:
    """A provider call that this worker may make until its lease ends."""

    call: ProviderCall
    #: Identifies this claim, together with the call's key: each claim counts one attempt.
    attempts: int
    generation: int
    key_first_used_at: datetime
    created_at: datetime

    @property
    def key(self) -> str:
        """The idempotency key for the provider."""
        return key_of_generation(self.call.key, self.generation)


@dataclass(frozen=True, slots=True, kw_only=True)
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
    """A webhook that belongs to no payment and can have no effect on one, with the reason."""

    webhook: UnroutedWebhook
    kind: str
    reason: str
