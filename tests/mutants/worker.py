"""Bugs of the dispatcher, of look-ups, and of signatures."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ports.producer_record import ProducerRecord
from ports.provider import CallOutcome, NotNow, Refused, Unknown, Webhook
from ports.work_items import ClaimedCall
from processor.worker.calls.dispatcher import Dispatcher
from processor.worker.sweeps.reconciler import Reconciler
from providers.stripe.client import StripeApi
from providers.stripe.webhooks import StripeWebhooks, read


class NewKeyForEachTry(Dispatcher):
    """Each try has a new idempotency key."""

    async def _attempt(self, claimed: ClaimedCall) -> CallOutcome:
        return await super()._attempt(replace(claimed, generation=claimed.attempts))


class TreatsTimeoutAsRefusal(Dispatcher):
    """A result that stays unknown is treated as a refusal."""

    async def _attempt(self, claimed: ClaimedCall) -> CallOutcome:
        outcome = await super()._attempt(claimed)
        if isinstance(outcome, Unknown) and claimed.attempts > 1:
            return Refused("timeout", "It did not respond.")
        return outcome


class UsesExpiredKeys(Dispatcher):
    """Uses keys after they have expired at the provider."""

    async def _attempt(self, claimed: ClaimedCall) -> CallOutcome:
        return await super()._attempt(replace(claimed, key_first_used_at=self._clock()))


class TrustsReplayedErrors(Dispatcher):
    """Treats a replayed 500 as proof that nothing was executed, and retries with a new key."""

    async def _attempt(self, claimed: ClaimedCall) -> CallOutcome:
        client = self._clients[claimed.call.provider]
        outcome = await client.call(claimed.call, claimed.key)
        repeats = isinstance(outcome, Unknown) and outcome.repeats
        return NotNow("it failed") if repeats else outcome


class FinishesFirst(Dispatcher):
    """Marks the call as done before its result is published."""

    async def make_call(self, claimed: ClaimedCall, since: float) -> None:
        """Makes one call."""
        sender, finish = self._sender, self._store.finish

        class After:
            async def send(self, records: Sequence[ProducerRecord]) -> None:
                await finish(claimed, "acknowledged", claimed.created_at)
                await sender.send(records)

        one = FinishesFirst.__new__(FinishesFirst)
        one.__dict__ = {**self.__dict__, "_sender": After()}
        await Dispatcher.make_call(one, claimed, since)


class LooksUpNoObject(Reconciler):
    """Facts without an event stay unknown."""

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self.sweeps = tuple(s for s in self.sweeps if not s.name.startswith("objects"))


class NeverLooksUp(StripeApi):
    """Unknown results are retried without a look-up."""

    async def look_up(self, *_: Any) -> CallOutcome | None:
        """Finds nothing."""
        return None


class AcceptsAnySignature(StripeWebhooks):
    """Any signature is accepted."""

    def verify(self, body: bytes, headers: Mapping[str, str]) -> Webhook:
        """Returns the webhook unchecked."""
        del headers
        return read(body)
