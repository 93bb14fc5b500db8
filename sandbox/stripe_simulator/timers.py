"""Scheduled changes: authorizations expire, refunds settle, disputes open."""

import asyncio
import logging
from collections.abc import Callable

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


class Timers:
    """Fires due timers.

    Args:
        world: the simulator's parts.
        release: called with the deliveries that this causes.
    """

    def __init__(self, world: World, release: Callable[[list[Due]], None]) -> None:
        self._world = world
        self._release = release

    def advance(self, seconds: float) -> int:
        """Move the clock forward and fire each due timer at its time; return how many fired."""
        world = self._world
        target = world.clock.now() + seconds
        fired = 0
        while (row := self._next()) is not None and row[1] <= target:
            world.clock.advance_to(row[1])
            self._fire(*row)
            fired += 1
        world.clock.advance_to(target)
        if seconds:
            world.store.write_note(OFFSET_NOTE, repr(world.clock.offset_s))
        return fired

    async def run(self, tick_s: float = 0.1) -> None:
        """Fire due timers once per tick, until cancelled."""
        while True:
            self.advance(0.0)
            await asyncio.sleep(tick_s)

    def _next(self) -> tuple[int, float, str, str, str | None] | None:
        row: tuple[int, float, str, str, str | None] | None = self._world.store.row(
            "select id, due, kind, object_id, detail from timers order by due, id limit 1"
        )
        return row

    def _fire(
        self, timer_id: int, due: float, kind: str, object_id: str, detail: str | None
    ) -> None:
        world = self._world
        world.journal.take_due()
        with world.store.transaction():
            world.store.run("delete from timers where id = ?", (timer_id,))
            _HANDLERS[kind](world, object_id, world.cause(f"timer {kind} {object_id}"), detail)
            world.store.count(f"stat:timer.{kind}")
        self._release(world.journal.take_due())
        _LOG.debug("timer.fired", extra={"kind": kind, "due": due})
