"""The time a worker with an empty disk needs to recover its dedup table from the changelog.

The changelog is filled once with the run's number of keys. Other turns' entries are read too, and
counted. A worker starts with an empty folder and records to process; its time is from the start
until it has committed them. The same is measured with the folder that it left. The difference is
the recovery time.
"""

import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench.load import dedup_table, log, rows
from bench.load.samples import Sample, Turn
from bench.programs import STREAM, running
from bench.site import Site
from messaging.batch_send import KeyedRecord
from messaging.topic_admin import CHANGELOG
from schemas.commands import CommandBase

#: Far fewer keys than in a full store, because other turns' workers must read them too.
EVENTS_PER_KEY: Final = 50


async def run(site: Site, turn: Turn) -> Sample:
    """One turn; counts the records of the changelog. Raises WrongResultError, StuckError."""
    folder = site.root / "recovered"
    shutil.rmtree(folder, ignore_errors=True)
    await rows.empty(site)
    keys = turn.stored // EVENTS_PER_KEY
    existing = await log.count(site, CHANGELOG.name)
    if existing < keys:
        entries = (KeyedRecord(key, value) for key, value in dedup_table.entries(keys - existing))
        await log.fill(site, CHANGELOG.name, entries)
    records = await log.count(site, CHANGELOG.name)
    half = len(turn.warm_up.commands) // 2
    cold_s, rss_mib = await _start_and_process(site, folder, turn.warm_up.commands[:half])
    warm_s, _ = await _start_and_process(site, folder, turn.warm_up.commands[half:])
    others = {"cold_s": cold_s, "warm_s": warm_s, "rss_mib": rss_mib}
    seconds = cold_s - warm_s
    others["per_million_s"] = seconds / records * 1e6
    return Sample(records, seconds, others)


async def _start_and_process(
    site: Site, folder: Path, commands: Sequence[CommandBase]
) -> tuple[float, float]:
    """Seconds from a worker's start until the commands are committed, and its memory."""
    await log.skip_to_end(site)
    await log.feed(site, log.commands_as_records(commands))
    begun_at = time.time()
    async with running(STREAM, site, PAYMENTS_DATA_DIR=str(folder)) as worker:
        await log.until_processed(site)
        return await rows.published_at(site) - begun_at, worker.rss_mib()
