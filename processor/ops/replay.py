"""``replay``: what is quarantined, and the release of it after a fix."""

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
from postgres.operator import Quarantine
from processor.ops.release import event_id, release

#: Seconds between two looks at what became of the releases.
LOOK_EVERY_S: Final = 0.2


@dataclass(frozen=True, slots=True)
class Replayed:
    """What became of one replay."""

    #: The quarantines whose releases were published.
    quarantines: Sequence[Quarantine]
    #: Outcome and reason of those releases that were processed in time, by event ID.
    became: Mapping[str, tuple[str, str]]
    #: Payments that are quarantined again, or still.
    still_quarantined: Collection[str]
    #: Payments that were asked for, and are not quarantined.
    not_quarantined: Sequence[str]

    @property
    def is_done(self) -> bool:
        """Whether everything that was asked for is released."""
        processed = all(event_id(q) in self.became for q in self.quarantines)
        return processed and not self.still_quarantined and not self.not_quarantined


async def replay(
    database_url: str,
    sender: RecordSender,
    payment_ids: Collection[str] | None,
    clock: Callable[[], datetime],
    wait_s: float,
) -> Replayed:
    """Publishes a release for each of these payments that is quarantined; waits for the outcomes.

    The release goes through the log, in order with the payment's other records. Asked for twice
    it is the same event, and has one effect.

    Args:
        database_url: where the quarantines are.
        sender: publishes the releases.
        payment_ids: these payments, or all that are quarantined.
        clock: the time.
        wait_s: how long to wait for the stream.

    Raises:
        PublishError: the brokers gave no word. It may be asked for again.
    """
    async with await OperatingConnection.connect(database_url, autocommit=True) as connection:
        found = await store.quarantines(connection)
        wanted = [q for q in found if payment_ids is None or q.payment_id in payment_ids]
        quarantined = {q.payment_id for q in wanted}
        if wanted:
            await sender.send([release(q, clock()) for q in wanted])
        became = await _became(connection, [event_id(q) for q in wanted], wait_s)
        now_quarantined = {q.payment_id for q in await store.quarantines(connection)}
    missing = [p for p in payment_ids or () if p not in quarantined]
    return Replayed(wanted, became, quarantined & now_quarantined, missing)


async def _became(
    connection: AsyncConnection[Any], event_ids: Sequence[str], wait_s: float
) -> dict[str, tuple[str, str]]:
    until = asyncio.get_running_loop().time() + wait_s
    while True:
        became = await store.became(connection, event_ids)
        if len(became) == len(event_ids) or asyncio.get_running_loop().time() >= until:
            return became
        await asyncio.sleep(LOOK_EVERY_S)


def listed(quarantines: Sequence[Quarantine]) -> Iterator[str]:
    """Every quarantine in words."""
    for quarantine in quarantines:
        since = moment(quarantine.quarantined_at)
        what = f"quarantined since {since}, {quarantine.waiting} inputs wait"
        yield f"{quarantine.payment_id}  {what}"
        error = quarantine.error.partition("\n")[0]  # Postgres adds what is in the row
        if quarantine.failed_release is None:
            yield f"    at {quarantine.event_id}: {error}"
        else:
            yield f"    at {quarantine.event_id}"
            yield f"    its release {quarantine.failed_release} failed: {error}"
    yield f"{len(quarantines)} payments quarantined"


def summary(replayed: Replayed) -> Iterator[str]:
    """What became of a replay, in words."""
    for quarantine in replayed.quarantines:
        unknown = ("not processed yet", "the stream has the release to come")
        outcome, reason = replayed.became.get(event_id(quarantine), unknown)
        yield f"{quarantine.payment_id}  {outcome}: {reason}"
    for payment_id in replayed.not_quarantined:
        yield f"{payment_id}  is not quarantined"
    still = len(replayed.still_quarantined)
    again = f", {still} quarantined again or still" if still else ""
    yield f"{len(replayed.quarantines)} releases published{again}"
