"""``replay``: what is held, and the release of it after a fix."""

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from psycopg import AsyncConnection

from ports.stores import RecordSender
from ports.texts import moment
from postgres import operator as store
from postgres.deadlines import OperatingConnection
from postgres.operator import Hold
from processor.ops.release import event_id, release

#: Seconds between two looks at what became of the releases.
LOOK_EVERY_S: Final = 0.2


@dataclass(frozen=True, slots=True)
class Replayed:
    """What became of one replay."""

    #: The holds whose releases were published.
    holds: Sequence[Hold]
    #: Outcome and reason of those releases that were processed in time, by event ID.
    became: Mapping[str, tuple[str, str]]
    #: Payments that are held again, or still.
    still_held: Collection[str]
    #: Payments that were asked for, and are not held.
    not_held: Sequence[str]

    @property
    def is_done(self) -> bool:
        """Whether everything that was asked for is released."""
        processed = all(event_id(hold) in self.became for hold in self.holds)
        return processed and not self.still_held and not self.not_held


async def replay(
    database_url: str,
    sender: RecordSender,
    payment_ids: Collection[str] | None,
    clock: Callable[[], datetime],
    wait_s: float,
) -> Replayed:
    """Publishes a release for each of these payments that is held; waits for what it comes to.

    The release goes through the log, in order with the payment's other records. Asked for twice
    it is the same event, and has one effect.

    Args:
        database_url: where the holds are.
        sender: publishes the releases.
        payment_ids: these payments, or all that are held.
        clock: the time.
        wait_s: how long to wait for the stream.

    Raises:
        PublishError: the brokers gave no word. It may be asked for again.
    """
    async with await OperatingConnection.connect(database_url, autocommit=True) as connection:
        found = await store.holds(connection)
        wanted = [h for h in found if payment_ids is None or h.payment_id in payment_ids]
        held = {hold.payment_id for hold in wanted}
        if wanted:
            await sender.send([release(hold, clock()) for hold in wanted])
        became = await _became(connection, [event_id(hold) for hold in wanted], wait_s)
        now_held = {hold.payment_id for hold in await store.holds(connection)}
    missing = [p for p in payment_ids or () if p not in held]
    return Replayed(wanted, became, held & now_held, missing)


async def _became(
    connection: AsyncConnection[Any], event_ids: Sequence[str], wait_s: float
) -> dict[str, tuple[str, str]]:
    until = asyncio.get_running_loop().time() + wait_s
    while True:
        became = await store.became(connection, event_ids)
        if len(became) == len(event_ids) or asyncio.get_running_loop().time() >= until:
            return became
        await asyncio.sleep(LOOK_EVERY_S)


def listed(holds: Sequence[Hold]) -> Iterator[str]:
    """Every hold in words."""
    for hold in holds:
        yield f"{hold.payment_id}  held since {moment(hold.held_at)}, {hold.waiting} inputs wait"
        error = hold.error.partition("\n")[0]  # Postgres adds what is in the row
        if hold.failed_release is None:
            yield f"    quarantined at {hold.event_id}: {error}"
        else:
            yield f"    quarantined at {hold.event_id}"
            yield f"    its release {hold.failed_release} failed: {error}"
    yield f"{len(holds)} payments held"


def summary(replayed: Replayed) -> Iterator[str]:
    """What became of a replay, in words."""
    for hold in replayed.holds:
        unknown = ("not processed yet", "the stream has the release to come")
        outcome, reason = replayed.became.get(event_id(hold), unknown)
        yield f"{hold.payment_id}  {outcome}: {reason}"
    for payment_id in replayed.not_held:
        yield f"{payment_id}  is not held"
    again = f", {len(replayed.still_held)} held again or still" if replayed.still_held else ""
    yield f"{len(replayed.holds)} releases published{again}"
