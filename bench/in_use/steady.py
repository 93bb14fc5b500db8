"""What a webhook about an old payment costs in the long run, not just after a checkpoint.

A page's first change after a checkpoint writes the whole page to Postgres' log. While webhooks keep
coming, more and more of them fall on pages that have changed already. So they come, some thousand
at a time, each about another random payment, and the server makes its checkpoints when it will.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from bench import reading
from bench.load import log, rows, wal
from bench.load.events import Delivery
from bench.measured.old_payments import KINDS, choose, webhooks_about
from bench.programs import STREAM, Programs, running
from bench.site import Site
from schemas.topics import APP_ID

AT_ONCE: Final = 10_000
#: The share of the webhooks that comes first and is not measured.
WARM_UP: Final = 0.05
SEED: Final = "steady"


@dataclass(frozen=True, slots=True)
class Part:
    """Some thousand webhooks: how many a second, and bytes of Postgres' log for each."""

    per_second: float
    wal_bytes: float


async def measure(year: Site, webhooks: int) -> list[Part]:
    """Processes this many, and measures part by part. Raises WrongResultError, StuckError."""
    deliveries = _deliveries(year, webhooks)
    first = int(len(deliveries) * WARM_UP)
    until, parts = partial(rows.published_at, year), list[Part]()
    await log.skip_to_end(year)
    async with running(STREAM, year, PAYMENTS_DATA_DIR=str(year.root / SEED)) as stream:
        worker = Programs((stream,))
        await log.until_shared(year, 1)
        await log.feed(year, log.deliveries_as_records(deliveries[:first]))
        await log.until_processed(year)
        for begin in range(first, len(deliveries), AT_ONCE):
            records = log.deliveries_as_records(deliveries[begin : begin + AT_ONCE])
            position = await wal.position(year)
            done = await reading.process(year, worker, APP_ID, records, until)
            written = await wal.since(year, position)
            parts.append(Part(len(records) / done.seconds, written.bytes / len(records)))
        worker.stop()
    return parts


def _deliveries(year: Site, webhooks: int) -> Sequence[Delivery]:
    """Webhooks of all kinds, mixed."""
    payments = choose(year.database_url, SEED, webhooks)
    found = [
        delivery
        for number, kind in enumerate(KINDS)
        for delivery in webhooks_about(payments[number :: len(KINDS)], SEED, kind)
    ]
    return random.Random(SEED).sample(found, len(found))  # noqa: S311
