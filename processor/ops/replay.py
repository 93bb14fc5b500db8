"""``replay``: lists quarantined payments, and releases them after a fix."""

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from psycopg import AsyncConnection

from ports.stores import RecordSender
from ports.texts import moment
from postgres.deadlines import OperatingConnection
from postgres.ops import operator as store
from postgres.ops.operator import Quarantine
from processor.ops.release import event_id, release_record

#: Seconds between two queries for the outcomes of the releases.
POLL_EVERY_S: Final = 0.2


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """The result of one replay."""

    #: The quarantines whose releases were published.
    quarantines: Sequence[Quarantine]
    #: Outcome and reason of those releases that were processed in time, by event ID.
    outcomes: Mapping[str, tuple[str, str]]
    #: Payments that are quarantined again, or still are.
    still_quarantined: Collection[str]
    #: Requested payments that are not quarantined.
    not_quarantined: Sequence[str]

    @property
    def is_done(self) -> bool:
        """Whether every requested payment is released."""
        processed = all(event_id(q) in self.outcomes for q in self.quarantines)
        return processed and not self.still_quarantined and not self.not_quarantined


async def replay(
    database_url: str,
    sender: RecordSender,
    payment_ids: Collection[str] | None,
    clock: Callable[[], datetime],
    wait_s: float,
) -> ReplayResult:
    """Publishes a release for each of these payments in quarantine, and waits for the outcomes.

    The release goes through the log, in order with the payment's other records. Releases of the
    same quarantine have the same event ID, so they have one effect.

    Args:
        database_url: Postgres, which has the quarantines.
        sender: publishes the releases.
        payment_ids: the payments; None: all quarantined ones.
        clock: the current time in UTC.
        wait_s: how long to wait for the outcomes, in seconds.

    Raises:
        PublishError: the brokers did not confirm. The command can be repeated.
    """
    async with await OperatingConnection.connect(database_url, autocommit=True) as connection:
        found = await store.quarantines(connection)
        wanted = [q for q in found if payment_ids is None or q.payment_id in payment_ids]
        quarantined = {q.payment_id for q in wanted}
        if wanted:
            await sender.send([release_record(q, clock()) for q in wanted])
        outcomes = await _wait_for_outcomes(connection, [event_id(q) for q in wanted], wait_s)
        now_quarantined = {q.payment_id for q in await store.quarantines(connection)}
    missing = [p for p in payment_ids or () if p not in quarantined]
    return ReplayResult(wanted, outcomes, quarantined & now_quarantined, missing)


async def _wait_for_outcomes(
    connection: AsyncConnection[Any], event_ids: Sequence[str], wait_s: float
) -> dict[str, tuple[str, str]]:
    """Returns outcome and reason by event ID, of the events processed within ``wait_s`` seconds."""
    until = asyncio.get_running_loop().time() + wait_s
    while True:
        outcomes = await store.release_outcomes(connection, event_ids)
        if len(outcomes) == len(event_ids) or asyncio.get_running_loop().time() >= until:
            return outcomes
        await asyncio.sleep(POLL_EVERY_S)


def describe_quarantines(quarantines: Sequence[Quarantine]) -> Iterator[str]:
    """Describes the quarantines, line by line."""
    for quarantine in quarantines:
        since = moment(quarantine.quarantined_at)
        what = f"quarantined since {since}, {quarantine.waiting} inputs wait"
        yield f"{quarantine.payment_id}  {what}"
        error = quarantine.error.partition("\n")[0]  # the rest repeats the row
        if quarantine.failed_release is None:
            yield f"    at {quarantine.event_id}: {error}"
        else:
            yield f"    at {quarantine.event_id}"
            yield f"    its release {quarantine.failed_release} failed: {error}"
    yield f"{len(quarantines)} payments quarantined"


def describe_replay(result: ReplayResult) -> Iterator[str]:
    """Describes the result of a replay, line by line."""
    for quarantine in result.quarantines:
        unknown = ("not processed yet", "the stream has not read the release")
        outcome, reason = result.outcomes.get(event_id(quarantine), unknown)
        yield f"{quarantine.payment_id}  {outcome}: {reason}"
    for payment_id in result.not_quarantined:
        yield f"{payment_id}  is not quarantined"
    still = len(result.still_quarantined)
    again = f", {still} quarantined again or still" if still else ""
    yield f"{len(result.quarantines)} releases published{again}"
