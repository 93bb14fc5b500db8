"""Scheduled changes: authorizations expire, refunds settle, disputes open."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sandbox.stripe_simulator.events import Cause, Due
from sandbox.stripe_simulator.objects import (
    attempts,
    disputes,
    fraud_warnings,
    payment_intents,
    refunds,
)
from sandbox.stripe_simulator.world import World

_LOG = logging.getLogger("stripe_simulator")
OFFSET_NOTE = "clock.offset_s"
_NEXT = "select id, due, kind, object_id, detail from timers order by due, id limit 1"

Handler = Callable[[World, str, Cause, str | None], None]

_HANDLERS: dict[str, Handler] = {
    attempts.AUTHORIZATION_EXPIRY: lambda world, intent_id, cause, _: (
        payment_intents.expire_authorization(world, intent_id, cause)
    ),
    attempts.DISPUTE_OPENING: lambda world, charge_id, cause, _: disputes.open_by_card(
        world, charge_id, cause
    ),
    attempts.FRAUD_WARNING: lambda world, charge_id, cause, _: fraud_warnings.warn_by_card(
        world, charge_id, cause
    ),
    refunds.REFUND_SETTLEMENT: lambda world, refund_id, cause, status: refunds.settle_later(
        world, refund_id, cause, status or "succeeded"
    ),
}


@dataclass(frozen=True, slots=True)
class Timer:
    """A scheduled change; ``due`` is the simulator's time."""

    timer_id: int
    due: float
    kind: str
    object_id: str
    detail: str | None


class Timers:
    """Fires due timers.

    Args:
        worlds: those of all accounts, which have one clock; the first one keeps its offset.
        release: called with an account's world and the deliveries that this causes.
    """

    def __init__(
        self, worlds: Sequence[World], release: Callable[[World, list[Due]], None]
    ) -> None:
        self._worlds = worlds
        self._release = release

    def advance(self, seconds: float) -> int:
        """Move the clock forward and fire each due timer at its time; return how many fired."""
        first = self._worlds[0]
        target = first.clock.now() + seconds
        fired = 0
        while (found := self._next()) is not None and found[1].due <= target:
            first.clock.advance_to(found[1].due)
            self._fire(*found)
            fired += 1
        first.clock.advance_to(target)
        if seconds:
            first.store.write_note(OFFSET_NOTE, repr(first.clock.offset_s))
        return fired

    async def run(self, tick_s: float = 0.1) -> None:
        """Fire due timers once per tick, until cancelled."""
        while True:
            self.advance(0.0)
            await asyncio.sleep(tick_s)

    def _next(self) -> tuple[World, Timer] | None:
        first = [(world, Timer(*row)) for world in self._worlds if (row := world.store.row(_NEXT))]
        return min(first, key=lambda each: each[1].due, default=None)

    def _fire(self, world: World, timer: Timer) -> None:
        kind, about = timer.kind, timer.object_id
        world.journal.take_due()
        with world.store.transaction():
            world.store.run("delete from timers where id = ?", (timer.timer_id,))
            _HANDLERS[kind](world, about, world.cause(f"timer {kind} {about}"), timer.detail)
            world.store.count(f"stat:timer.{kind}")
        self._release(world, world.journal.take_due())
        _LOG.debug("timer.fired", extra={"kind": kind, "due": timer.due})
