"""The processor's throughput with a full store; compared with one worker on empty tables.

The store (``stored.py``) is loaded once per run, into a separate database and data folder, and is
used in every round.
"""

from dataclasses import replace

from bench.load import dedup_table, stored
from bench.load.samples import Sample, Turn
from bench.measured import processor
from bench.site import Site


async def run(site: Site, turn: Turn) -> Sample:
    """One turn. Raises WrongResultError, StuckError."""
    folder = site.root / "full-store"
    full = stored.separate_database(site)
    load_s = 0.0
    if not folder.exists():
        load_s = await stored.load(full, turn.stored // dedup_table.EVENTS_PER_PAYMENT, folder)
    sample = await processor.measured(full, turn, [folder])
    more = {"stored": float(turn.stored), "load_s": load_s}
    return replace(sample, others={**sample.others, **more})
