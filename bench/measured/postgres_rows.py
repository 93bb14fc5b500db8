"""Writing the processor's rows only, with its statements: ``bench/peers/postgres_rows.py``.

An upper bound for any program that stores them: there is no Kafka, and all decisions were made
before. Batches have the processor's largest size.
"""

import sys
from typing import Final

import msgspec

from bench.load import log, rows
from bench.load.samples import Sample, Turn
from bench.peers.postgres_rows import Webhook
from bench.programs import cpu_of_all_s, used_since_s
from bench.site import Site
from sandbox.supervision import processes
from sandbox.supervision.processes import Command
from sandbox.topology import PROJECT

WRITTEN_WITHIN_S: Final = 300.0


async def run(site: Site, turn: Turn) -> Sample:
    """One turn. CPU time includes the warm-up. Raises WrongResultError, ProgramError."""
    await rows.empty(site)
    await rows.create_payments(site, (*turn.warm_up.commands, *turn.work.commands))
    await rows.analyze(site)
    webhooks, figures = site.root / "webhooks.msgpack", site.root / "rows.json"
    phases = [
        [Webhook(r.key or b"", r.value, list(r.headers)) for r in log.deliveries_as_records(part)]
        for part in (turn.warm_up.deliveries, turn.work.deliveries)
    ]
    webhooks.write_bytes(msgspec.msgpack.encode(phases))
    argv = [sys.executable, "-m", "bench.peers.postgres_rows", str(webhooks), str(figures)]
    command = Command("postgres_rows", argv, environment=site.environment, folder=PROJECT)
    all_s = cpu_of_all_s()
    await processes.run(command, site.logs, within=WRITTEN_WITHIN_S)
    servers_s = used_since_s(all_s)  # without the program itself, which has ended
    found = msgspec.json.decode(figures.read_bytes())
    await rows.check(site, turn.work)
    await rows.check_duplicates(site, turn.work)
    await rows.published_at(site)  # raises unless all versions are marked as published
    written = sum(phase["count"] for phase in found)
    own_s = sum(phase["cpu_s"] for phase in found)
    others = {"cpu_us": own_s / written * 1e6, "all_cpu_us": (own_s + servers_s) / written * 1e6}
    return Sample(found[-1]["count"], found[-1]["seconds"], others)
