"""Bugs of the provider calls, of the look-ups, and of who is accepted."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ports.producer_record import ProducerRecord
from ports.provider import CallOutcome, NotNow, ProviderClient, Refused, Unknown, Webhook
from ports.work_items import ClaimedCall
from processor.worker.dispatcher import Dispatcher
from processor.worker.reconciler import Reconciler
from providers.stripe.client import StripeApi
from providers.stripe.webhooks import StripeWebhooks, read


class NewKeyForEachTry(Dispatcher):
    """The provider takes each try for another call."""

    async def _attempt(self, claimed: ClaimedCall) -> CallOutcome:
        return await super()._attempt(replace(claimed, generation=claimed.attempts))


class TakesSilenceForRefusal(Dispatcher):
    """Unknown for long enough is taken for a refusal."""

    async def _attempt(self, claimed: ClaimedCall) -> CallOutcome:
        outcome = await super()._attempt(claimed)
        if isinstance(outcome, Unknown) and claimed.attempts > 1:
            return Refused("timeout", "It did not answer.")
        return outcome


class KeepsKeysForEver(Dispatcher):
    """Also after the provider has forgotten them."""

    async def _attempt(self, claimed: ClaimedCall) -> CallOutcome:
        return await super()._attempt(replace(claimed, key_first_used_at=self._clock()))


class BelievesReplayedErrors(Dispatcher):
    """A 500 that is replayed under its key is taken for: nothing happened, a new key is safe."""

    async def _attempt(self, claimed: ClaimedCall) -> CallOutcome:
        client = self._clients[claimed.call.provider]
        outcome = await client.call(claimed.call, claimed.key)
        repeats = isinstance(outcome, Unknown) and outcome.repeats
        return NotNow("it failed") if repeats else outcome


class FinishesFirst(Dispatcher):
    """The call is done before its result is published."""

    async def make_call(self, claimed: ClaimedCall, since: float) -> None:
        """One call."""
        sender, finish = self._sender, self._store.finish

        class After:
            async def send(self, records: Sequence[ProducerRecord]) -> None:
                await finish(claimed, "acknowledged", claimed.created_at)
                await sender.send(records)

        one = FinishesFirst.__new__(FinishesFirst)
        one.__dict__ = {**self.__dict__, "_sender": After()}
        await Dispatcher.make_call(one, claimed, since)


class LooksAtNoObject(Reconciler):
    """Facts without an event stay unknown."""

    async def _look_up_objects(self, provider: str, client: ProviderClient) -> None:
        del provider, client


class NeverLooksUp(StripeApi):
    """What is unknown is tried again."""

    async def look_up(self, *_: Any) -> CallOutcome | None:
        """What became of a call."""
        return None


class BelievesAnySignature(StripeWebhooks):
    """Any signature is accepted."""

    def verify(self, body: bytes, headers: Mapping[str, str]) -> Webhook:
        """A webhook."""
        del headers
        return read(body)
