"""``make soak MINUTES=n``: runs one load after the other; exits with 1 if something has grown.

The retention is half a minute here, so that a few minutes suffice.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from itertools import count
from pathlib import Path
from typing import Final

from sandbox.client import SimulatorControl
from tests.isolation.isolated import isolated
from tests.service import evidence
from tests.service.load import Load
from tests.service.stack import QUICK, Stack, running_service
from tests.soak.samples import Sample, compare, take

SIZE: Final = 40
EVERY_S: Final = 2.0
ROUGH: Final = {"duplicate": 0.3, "reorder": 0.3, "delay": 0.2, "drop": 0.02}
SHORT_RETENTION: Final = QUICK | {
    "PAYMENTS_HISTORY_RETENTION_S": "30",
    "PAYMENTS_LOG_RETENTION_S": "30",
    "PAYMENTS_HISTORY_SWEEP_S": "2",
    "PAYMENTS_DEDUP_RETENTION_S": "10",
}


async def _soak(stack: Stack, tables: Path, seconds: float) -> tuple[list[Sample], int]:
    samples: list[Sample] = []
    payments = 0

    async def sample() -> None:
        while True:
            samples.append(await asyncio.to_thread(take, stack, tables))
            await asyncio.sleep(EVERY_S)

    async with SimulatorControl(stack.simulator_url) as simulator:
        await simulator.faults(**ROUGH)
    end = time.monotonic() + seconds
    sampling = asyncio.create_task(sample())
    for seed in count(1):
        await Load(stack, SIZE, seed).run()
        payments += SIZE
        if time.monotonic() > end:
            break
    sampling.cancel()
    await evidence.at_rest(stack)
    return samples, payments


def main() -> int:
    """Runs the loads, and prints what has grown."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="how long, at least")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="payments-soak-") as folder:
        Path(folder).chmod(0o755)  # Postgres runs as another user
        with running_service(Path(folder), quick=SHORT_RETENTION) as stack:
            tables = Path(folder) / "data"
            samples, payments = asyncio.run(_soak(stack, tables, arguments.minutes * 60))
    rows = compare(samples)
    sys.stdout.write(f"{payments} payments, {len(samples)} samples; second quarter, last one\n")
    for row in rows:
        grown = "  HAS GROWN" if row.has_grown else ""
        sys.stdout.write(f"{row.name:<28} {row.before:>10.1f} {row.after:>10.1f}{grown}\n")
    return 1 if any(row.has_grown for row in rows) else 0


if __name__ == "__main__":
    with isolated():
        sys.exit(main())
