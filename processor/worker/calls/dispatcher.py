"""Makes the provider calls in the outbox: claim a row, call, publish the result, mark the row done.

A crash at any step repeats the call under the same idempotency key, so the provider acts once. A
call is retried while the provider is certain to know its key; after that its outcome is looked up
first. A call whose outcome is unknown never becomes a failure by the passage of time.
"""

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from structlog.contextvars import bound_contextvars

from ports.errors import LeaseLostError
from ports.producer_record import ProducerRecord
from ports.provider import (
    Acknowledged,
    CallOutcome,
    MissingError,
    NotNow,
    NotSent,
    ProviderClient,
    ProviderUnavailableError,
    RateLimitedError,
    Refused,
    Unknown,
)
from ports.rate_budget import RateBudget
from ports.stores import Outbox, RecordSender
from ports.texts import storable
from ports.work_items import ClaimedCall, LookUpShare
from processor.worker.calls.absences import Absences
from processor.worker.calls.adapter_call import call_adapter
from processor.worker.calls.breaker import CircuitBreaker
from processor.worker.calls.lease import Lease
from processor.worker.calls.slots import Slots
from processor.worker.metrics import WorkerMetrics
from runtime.logs import get_logger
from schemas.identity import result_event_id
from schemas.results import ProviderResult, Refusal
from schemas.settings import WorkerSettings
from schemas.topics import PROVIDER_RESULTS

log = get_logger(__name__)

#: The name of this loop, in metrics and in readiness.
LOOP: Final = "dispatcher"
#: Seconds that calls in flight may take to finish at shutdown. Without brokers, they never would.
SHUTDOWN_TIMEOUT_S: Final = 5.0
#: Calls that were put off for the rate limit's sake are due within so many seconds of each other.
SPREAD_S: Final = 0.5
#: Seconds after which a call that there was no room to look up is due again.
LOOK_UP_LATER_S: Final = 1.0
_NO_ROOM: Final = "it can't be looked up while as many others are"
_NEVER_HAPPENED: Final = NotNow("looked up: it has not happened")
_NOT_LISTED: Final = Unknown("looked up: it may be listed later", is_available=True)


class Dispatcher:
    """The loop over due calls, with at most ``call_concurrency`` per provider in flight.

    Args:
        store: the outbox.
        sender: publishes results.
        clients: the adapters, by provider.
        settings: concurrency, deadline, lease, back-off and circuit breaker.
        metrics: the worker's metrics.
        clock: the current time in UTC.
        rng: draws the jitter of the back-off.
        budgets: the rate budgets, by provider. While one is blocked, no call is claimed.
    """

    def __init__(
        self,
        store: Outbox,
        sender: RecordSender,
        clients: Mapping[str, ProviderClient],
        settings: WorkerSettings,
        metrics: WorkerMetrics,
        clock: Callable[[], datetime],
        rng: random.Random,
        budgets: Mapping[str, RateBudget] | None = None,
    ) -> None:
        self._budgets = budgets or {}
        self._store = store
        self._sender = sender
        self._clients = clients
        self._settings = settings
        self._metrics = metrics
        self._clock = clock
        self._rng = rng
        open_for = timedelta(seconds=settings.breaker_open_s)
        self._lease = timedelta(seconds=settings.call_lease_s)
        self._key_lifetime = timedelta(seconds=settings.call_key_lifetime_s)
        self._absences = Absences(settings.event_list_settles_s, clock)
        self._breakers = {
            name: CircuitBreaker(settings.breaker_failures, open_for, clock) for name in clients
        }
        #: By provider, so that a slow provider takes no slots from another.
        self._slots = {name: Slots(settings.call_concurrency) for name in clients}

    def in_flight(self) -> list[asyncio.Task[Any]]:
        """Returns the tasks of the calls in flight, of all providers."""
        return [task for slots in self._slots.values() for task in slots.tasks]

    async def run(self) -> None:
        """Runs until cancelled. An error of one call is noted in its row and ends no other call."""
        try:
            while True:
                if not await self.claim_and_start():
                    await asyncio.sleep(self._settings.call_poll_s)
        finally:
            await self._finish()

    async def _finish(self) -> None:
        """Waits for calls in flight, then cancels them. They are due again after their lease."""
        in_flight = self.in_flight()
        if in_flight:
            await asyncio.wait(in_flight, timeout=SHUTDOWN_TIMEOUT_S)
        for task in in_flight:
            task.cancel()
        if in_flight:
            await asyncio.wait(in_flight, timeout=SHUTDOWN_TIMEOUT_S)

    async def claim_and_start(self) -> int:
        """Claims and starts as many due calls as there are free slots. Returns how many.

        Of these, no more than their share are calls that are looked up.
        """
        started = 0
        for name, breaker in self._breakers.items():
            self._metrics.breaker_open.labels(name).set(breaker.is_open)
            slots = self._slots[name]
            free = breaker.admits(slots.free)
            if free <= 0 or (name in self._budgets and self._budgets[name].blocked_s > 0):
                continue
            since, now = asyncio.get_running_loop().time(), self._clock()
            share = LookUpShare(slots.free_for_look_ups, now - self._key_lifetime)
            claimed = await self._store.claim(name, free, now, now + self._lease, share)
            for item in claimed:
                breaker.call_started()
                slots.take(asyncio.create_task(self._run_call(item, since)), item.call.key)
                if item.key_first_used_at <= share.forgotten_since:
                    slots.look_up(item.call.key)
            started += len(claimed)
        return started

    async def _run_call(self, claimed: ClaimedCall, since: float) -> None:
        """Makes one call. If Postgres or Kafka fails, the call is due again after its lease."""
        call = claimed.call
        with bound_contextvars(call_key=call.key, payment_id=call.payment_id):
            try:
                await self.make_call(claimed, since)
            except LeaseLostError:
                log.warning("call.lease_lost", note="another worker has claimed it")
            except Exception:
                self._metrics.loop_errors.labels(LOOP).inc()
                log.exception("call.interrupted", note="due again after its lease")

    async def make_call(self, claimed: ClaimedCall, since: float) -> None:
        """Makes one call, publishes its result and updates its row.

        Args:
            claimed: the call.
            since: the event loop's time at which it was claimed, in seconds.

        Raises:
            LeaseLostError: another worker has claimed the call meanwhile.
            PublishError: the result may not have been published.
            StoreUnavailableError: the row was not updated.
        """
        call = claimed.call
        breaker = self._breakers[call.provider]
        lease = Lease(lambda: self._renew(claimed), self._settings.call_lease_s, since)
        try:
            with self._metrics.call_seconds.labels(call.provider, call.operation).time():
                outcome = await lease.renew_during(self._call_provider(claimed))
        except BaseException:
            breaker.call_failed()  # a trial call must always end, or the breaker stays open
            raise
        name = type(outcome).__name__.lower()
        self._metrics.calls.labels(call.provider, call.operation, name).inc()
        if isinstance(outcome, NotSent):
            breaker.call_not_made()
        elif isinstance(outcome, Unknown) and not outcome.is_available:
            breaker.call_failed()
        else:
            breaker.call_succeeded()
        if isinstance(outcome, Acknowledged | Refused):
            await lease.renew_during(self._sender.send([self._result(claimed, outcome)]))
            is_ours = await self._store.finish(claimed, _outcome_text(outcome), self._clock())
            self._absences.forget(claimed.key)
        else:
            is_ours = await self._reschedule(claimed, outcome)
        if not is_ours:
            raise LeaseLostError("the call was claimed again meanwhile")

    async def _renew(self, claimed: ClaimedCall) -> bool:
        return await self._store.renew(claimed, self._clock() + self._lease)

    async def _call_provider(self, claimed: ClaimedCall) -> CallOutcome:
        """Calls the adapter within the deadline. A failure of the adapter is an unknown outcome."""
        outcome, has_failed = await call_adapter(
            claimed.call.key,
            self._attempt(claimed),
            self._settings.call_deadline_s,
            lambda task: self._slots[claimed.call.provider].take(task, claimed.call.key),
        )
        if has_failed:
            self._metrics.loop_errors.labels(LOOP).inc()
        return outcome

    async def _attempt(self, claimed: ClaimedCall) -> CallOutcome:
        """Calls the provider, or looks the outcome up where calling again cannot reveal it."""
        client = self._clients[claimed.call.provider]
        may_look_up = partial(self._slots[claimed.call.provider].look_up, claimed.call.key)
        tried_until = claimed.key_first_used_at + self._key_lifetime
        if self._clock() < tried_until:
            sent = claimed.sent or client.prepare(claimed.call)
            if isinstance(sent, Refused):
                return sent
            if claimed.sent is None and not await self._store.freeze(claimed, sent):
                return Unknown("the call was claimed again meanwhile")
            outcome = await client.call(claimed.call, claimed.key, sent)
            if not (isinstance(outcome, Unknown) and outcome.repeats):
                return outcome
            tried_until = self._absences.replayed(claimed.key)
            if not may_look_up():
                return replace(outcome, reason=f"{outcome.reason}; {_NO_ROOM}", is_available=True)
        elif not may_look_up():
            return NotSent(_NO_ROOM, LOOK_UP_LATER_S)
        return await self._look_up(claimed, tried_until)

    async def _look_up(self, claimed: ClaimedCall, tried_until: datetime) -> CallOutcome:
        """Looks the outcome of a call up that was not tried after this time."""
        client = self._clients[claimed.call.provider]
        complete_at = self._absences.complete_at(tried_until)
        is_complete = self._clock() >= complete_at
        # with another time nothing is gone on with that was read while events could be missing
        last_tried_at = complete_at if is_complete else tried_until
        try:
            found = await client.look_up(claimed.call, claimed.created_at, last_tried_at)
        except RateLimitedError as error:
            return NotSent(f"can't be looked up: {error}", error.retry_after_s)
        except ProviderUnavailableError as error:
            has_answered = isinstance(error, MissingError)
            return Unknown(f"can't be looked up: {error}", is_available=has_answered)
        if is_complete:
            return found or _NEVER_HAPPENED
        return found or replace(_NOT_LISTED, provable_at=complete_at)

    async def _reschedule(self, claimed: ClaimedCall, outcome: Unknown | NotNow | NotSent) -> bool:
        """Sets when the call is due again. Returns whether the claim was still ours."""
        now = self._clock()
        error = storable(outcome.reason)
        if isinstance(outcome, NotNow):
            wait = timedelta(0) if outcome is _NEVER_HAPPENED else self._backoff(claimed)
            self._absences.forget(claimed.key)
            return await self._store.retry_with_new_key(claimed, now + wait, error)
        if isinstance(outcome, NotSent):  # no failure: the back-off is the budget's
            wait_s = (outcome.retry_after_s or 0) + self._rng.uniform(0, SPREAD_S)
            return await self._store.retry(claimed, now + timedelta(seconds=wait_s), error)
        retry_after = timedelta(seconds=outcome.retry_after_s or 0)
        wait = max(self._backoff(claimed), retry_after)
        if outcome.provable_at is not None:
            spread = timedelta(seconds=self._rng.uniform(0, SPREAD_S))
            wait = min(wait, max(outcome.provable_at - now, timedelta(0)) + spread)
        is_ours = await self._store.retry(claimed, now + wait, error)
        log.warning(
            "call.outcome_unknown",
            attempt=claimed.attempts,
            wait_s=round(wait.total_seconds(), 1),
            reason=error,
        )
        return is_ours

    def _backoff(self, claimed: ClaimedCall) -> timedelta:
        """Returns an exponential back-off with full jitter, from the row's number of attempts."""
        longest = min(
            self._settings.call_backoff_max_s,
            self._settings.call_backoff_base_s * 2 ** min(claimed.attempts - 1, 20),
        )
        return timedelta(seconds=self._rng.uniform(0, longest))

    def _result(self, claimed: ClaimedCall, outcome: Acknowledged | Refused) -> ProducerRecord:
        call = claimed.call
        refused = outcome if isinstance(outcome, Refused) else None
        result = ProviderResult(
            event_id=result_event_id(call.key),
            payment_id=call.payment_id,
            provider=call.provider,
            call_key=call.key,
            operation=call.operation,
            outcome="refused" if refused is not None else "acknowledged",
            object_id=outcome.object_id if isinstance(outcome, Acknowledged) else None,
            refusal=_refusal(refused) if refused is not None else None,
            received_at=self._clock(),
        )
        value = result.model_dump_json().encode()
        return ProducerRecord(PROVIDER_RESULTS, call.payment_id.encode(), value, ())


def _refusal(refused: Refused) -> Refusal:
    return Refusal(code=storable(refused.code) or "unknown", message=storable(refused.message))


def _outcome_text(outcome: Acknowledged | Refused) -> str:
    if isinstance(outcome, Acknowledged):
        return f"acknowledged: {outcome.object_id}"
    return f"refused: {storable(outcome.code)}"
