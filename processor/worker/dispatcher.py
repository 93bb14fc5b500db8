"""Makes the calls the stream has written down: claim, call, publish the result, mark the row.

A crash anywhere repeats the call under the same idempotency key, so the provider does it once.
While the key is safely remembered there, it is retried; after that the outcome is looked up first.
Time alone never turns unknown into failure.
"""

import asyncio
import random
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, Literal, cast

from ports.errors import LeaseLostError
from ports.producer_record import ProducerRecord
from ports.provider import (
    Acknowledged,
    CallOutcome,
    NotNow,
    ProviderClient,
    ProviderUnavailableError,
    Refused,
    Unknown,
)
from ports.stores import Outbox, RecordSender
from ports.texts import storable
from ports.work_items import ClaimedCall
from processor.worker.adapter_call import call_adapter
from processor.worker.breaker import Breaker
from processor.worker.lease import Lease
from processor.worker.metrics import WorkerMetrics
from runtime.logs import get_logger
from schemas.identity import result_event_id
from schemas.results import ProviderResult, Refusal
from schemas.settings import WorkerSettings
from schemas.topics import PROVIDER_RESULTS

log = get_logger(__name__)

#: At the end of the process: with the brokers away, a result could wait for them for longer.
FINISH_WITHIN_S: Final = 5.0
_NEVER_HAPPENED: Final = NotNow("looked up: it has not happened")


class Dispatcher:
    """The loop over due calls, with at most ``call_concurrency`` of each provider under way."""

    def __init__(
        self,
        store: Outbox,
        sender: RecordSender,
        clients: Mapping[str, ProviderClient],
        settings: WorkerSettings,
        metrics: WorkerMetrics,
        clock: Callable[[], datetime],
        chance: random.Random,
    ) -> None:
        self._store = store
        self._sender = sender
        self._clients = clients
        self._settings = settings
        self._metrics = metrics
        self._clock = clock
        self._chance = chance
        open_for = timedelta(seconds=settings.breaker_open_s)
        self._lease = timedelta(seconds=settings.call_lease_s)
        self._breakers = {
            name: Breaker(settings.breaker_failures, open_for, clock) for name in clients
        }
        #: By provider, so that a slow one takes no other one's slots.
        self._slots: dict[str, set[asyncio.Task[Any]]] = {name: set() for name in clients}

    def under_way(self) -> list[asyncio.Task[Any]]:
        """The calls under way, of all providers."""
        return [task for slots in self._slots.values() for task in slots]

    async def run(self) -> None:
        """Until cancelled. What goes wrong with one call is in its row; the loop goes on."""
        try:
            while True:
                if not await self.claim_and_start():
                    await asyncio.sleep(self._settings.call_poll_s)
        finally:
            await self._finish()

    async def _finish(self) -> None:
        """Calls under way are brought to an end; one that can't be is due again after its lease."""
        under_way = self.under_way()
        if under_way:
            await asyncio.wait(under_way, timeout=FINISH_WITHIN_S)
        for task in under_way:
            task.cancel()
        if under_way:
            await asyncio.wait(under_way, timeout=FINISH_WITHIN_S)

    async def claim_and_start(self) -> int:
        """Claims as many due calls as there is room for and starts them; answers how many."""
        started = 0
        for name, breaker in self._breakers.items():
            self._metrics.breaker_open.labels(name).set(breaker.is_open)
            slots = self._slots[name]
            room = breaker.room(self._settings.call_concurrency - len(slots))
            if room <= 0:
                continue
            since, now = asyncio.get_running_loop().time(), self._clock()
            claimed = await self._store.claim([name], room, now, now + self._lease)
            for item in claimed:
                breaker.started()
                task = asyncio.create_task(self._make_noting_errors(item, since))
                slots.add(task)
                task.add_done_callback(slots.discard)
            started += len(claimed)
        return started

    async def _make_noting_errors(self, claimed: ClaimedCall, since: float) -> None:
        """One call; if our side fails (Postgres, Kafka), its lease brings it back."""
        try:
            await self.make(claimed, since)
        except LeaseLostError:
            log.warning("call.lease_lost", call_key=claimed.call.key, note="it is another worker's")
        except Exception:
            self._metrics.loop_errors.labels("provider_calls").inc()
            log.exception(
                "call.interrupted", call_key=claimed.call.key, note="due again after its lease"
            )

    async def make(self, claimed: ClaimedCall, since: float) -> None:
        """Makes one call, claimed at this time of the loop, and notes what it came to.

        Raises LeaseLostError, PublishError, StoreUnavailableError.
        """
        call = claimed.call
        breaker = self._breakers[call.provider]
        lease = Lease(lambda: self._renew(claimed), self._settings.call_lease_s, since)
        try:
            with self._metrics.call_seconds.labels(call.provider, call.operation).time():
                outcome = await lease.during(self._ask(claimed))
        except BaseException:
            breaker.failed()  # whoever is the one to try must not leave the breaker waiting for it
            raise
        name = type(outcome).__name__.lower()
        self._metrics.calls.labels(call.provider, call.operation, name).inc()
        if isinstance(outcome, Unknown):
            breaker.failed()
        else:
            breaker.succeeded()
        if isinstance(outcome, Acknowledged | Refused):
            await lease.during(self._sender.send([self._result(claimed, outcome)]))
            is_ours = await self._store.finish(claimed, _describe(outcome), self._clock())
        else:
            is_ours = await self._again(claimed, outcome)
        if not is_ours:
            raise LeaseLostError("the call was claimed again meanwhile")

    async def _renew(self, claimed: ClaimedCall) -> bool:
        return await self._store.renew(claimed, self._clock() + self._lease)

    async def _ask(self, claimed: ClaimedCall) -> CallOutcome:
        """The provider's word within the deadline; whatever the adapter does is an outcome."""
        outcome, has_failed = await call_adapter(
            claimed.call.key,
            self._outcome(claimed),
            self._settings.call_deadline_s,
            self._slots[claimed.call.provider],
        )
        if has_failed:
            self._metrics.loop_errors.labels("provider_calls").inc()
        return outcome

    async def _outcome(self, claimed: ClaimedCall) -> CallOutcome:
        client = self._clients[claimed.call.provider]
        age = self._clock() - claimed.key_first_used_at
        if age < timedelta(seconds=self._settings.call_key_lifetime_s):
            outcome = await client.call(claimed.call, claimed.key)
            if not (isinstance(outcome, Unknown) and outcome.repeats):
                return outcome
        try:
            found = await client.look_up(claimed.call, claimed.created_at)
        except ProviderUnavailableError as error:
            return Unknown(f"can't be looked up: {error}")
        return found or _NEVER_HAPPENED

    async def _again(self, claimed: ClaimedCall, outcome: Unknown | NotNow) -> bool:
        """Notes when it is due again. Whether it was ours still."""
        now = self._clock()
        error = storable(outcome.reason)
        if isinstance(outcome, NotNow):
            wait = timedelta(0) if outcome is _NEVER_HAPPENED else self._wait(claimed)
            return await self._store.retry_with_new_key(claimed, now + wait, error)
        asked = timedelta(seconds=outcome.retry_after_s or 0)
        wait = max(self._wait(claimed), asked)
        is_ours = await self._store.retry(claimed, now + wait, error)
        log.warning(
            "call.unknown",
            call_key=claimed.call.key,
            attempt=claimed.attempts,
            wait_s=round(wait.total_seconds(), 1),
            reason=error,
        )
        return is_ours

    def _wait(self, claimed: ClaimedCall) -> timedelta:
        """Exponential back-off with full jitter, from the row's own count of attempts."""
        longest = min(
            self._settings.call_backoff_max_s,
            self._settings.call_backoff_base_s * 2 ** min(claimed.attempts - 1, 20),
        )
        return timedelta(seconds=self._chance.uniform(0, longest))

    def _result(self, claimed: ClaimedCall, outcome: Acknowledged | Refused) -> ProducerRecord:
        call = claimed.call
        refused = outcome if isinstance(outcome, Refused) else None
        operation = cast(
            'Literal["create", "confirm", "capture", "cancel", "refund"]', call.operation
        )
        result = ProviderResult(
            event_id=result_event_id(call.key),
            payment_id=call.payment_id,
            provider=call.provider,
            call_key=call.key,
            operation=operation,
            outcome="refused" if refused is not None else "acknowledged",
            object_id=outcome.object_id if isinstance(outcome, Acknowledged) else None,
            refusal=_refusal(refused) if refused is not None else None,
            received_at=self._clock(),
        )
        value = result.model_dump_json().encode()
        return ProducerRecord(PROVIDER_RESULTS, call.payment_id.encode(), value, ())


def _refusal(refused: Refused) -> Refusal:
    return Refusal(code=storable(refused.code) or "unknown", message=storable(refused.message))


def _describe(outcome: Acknowledged | Refused) -> str:
    if isinstance(outcome, Acknowledged):
        return f"acknowledged: {outcome.object_id}"
    return f"refused: {storable(outcome.code)}"
