"""``make mutants``: plants every bug and says what found it; 1 where one lives.

`AREA=ingress` takes one area's alone, `AREA=today` another one each day. The 31 that stand in the
place of a function are of the areas `model` and `simulation`; the others are planted in the text of
a throw-away copy. `--within=60` begins no other bug after so many seconds.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from processor.topics import create_topics
from sandbox.testing import Infrastructure, running_infrastructure
from schemas.settings import KafkaSettings
from tests.conftest import PARTITIONS
from tests.isolation.apart import apart
from tests.mutants.bugs import BUGS
from tests.mutants.find import by_search, by_seeds
from tests.mutants.ground import Ground
from tests.mutants.planted import AREAS, Bug
from tests.mutants.table import IN_THE_DOMAIN, IN_THE_PIPELINE, InTheDomain, InThePipeline

MODEL: Final = "model"
SIMULATION: Final = "simulation"
TODAY: Final = "today"
Found = tuple[str, str | None]
"""A bug's name, and what found it; None where it lives."""


def _search(planted: InTheDomain) -> str | None:
    error = by_search(planted)
    return f"the search, after {len(error.path)} inputs: {error.what}" if error else None


def _seeds(planted: InThePipeline) -> str | None:
    report = by_seeds(planted)
    if report is None:
        return None
    violation = report.violations[0]
    return f"seed {report.seed}, {violation.code}: {violation.what}"


def _in_the_text(bugs: Sequence[Bug], folder: Path, within_s: float | None) -> Iterator[Found]:
    """Each bug in turn. First their tests run without any: what fails then finds nothing.

    With a limit of time there is no such first run, for which `make test` is enough.

    Raises:
        MisplacedError: a bug can't be planted.
        NoTrialError: its tests could not be run.
    """
    began = time.monotonic()
    with _servers(folder, needed=any(bug.servers for bug in bugs)) as servers:
        ground = Ground(folder / "copy", servers)
        if within_s is None:
            healthy = ground.run(tuple(dict.fromkeys(test for bug in bugs for test in bug.tests)))
            if healthy.found_by is not None:
                yield f"no bug at all, but {healthy.found_by} fails", None
                return
        for bug in bugs:
            if within_s is not None and time.monotonic() - began > within_s:
                return
            verdict = ground.trial(bug)
            found = verdict.found_by
            yield bug.name, found and f"{verdict.seconds:.1f} s, {found}"


@contextmanager
def _servers(folder: Path, *, needed: bool) -> Iterator[Infrastructure | None]:
    """A broker with its topics, and a database, for all tests that need them."""
    if not needed:
        yield None
        return
    with running_infrastructure(folder / "servers") as servers:
        kafka = KafkaSettings(
            kafka_bootstrap=servers.kafka_bootstrap, partitions=PARTITIONS, replication_factor=1
        )
        asyncio.run(create_topics(kafka))
        yield servers


def _found(area: str, within_s: float | None) -> Iterator[Found]:
    if area == MODEL:
        yield from ((planted.name, _search(planted)) for planted in IN_THE_DOMAIN)
    elif area == SIMULATION:
        yield from ((planted.name, _seeds(planted)) for planted in IN_THE_PIPELINE)
    else:
        with tempfile.TemporaryDirectory(prefix="mutants-", ignore_cleanup_errors=True) as folder:
            bugs = [bug for bug in BUGS if bug.area == area]
            first = _today() % len(bugs) if within_s is not None else 0
            yield from _in_the_text([*bugs[first:], *bugs[:first]], Path(folder), within_s)


def _today() -> int:
    """The day's number: another one each day, the same for all."""
    return datetime.now(UTC).date().toordinal()


def main() -> int:
    """Plants the bugs of each area. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    areas = (MODEL, SIMULATION, *AREAS)
    parser.add_argument("area", nargs="?", choices=[*areas, TODAY], help="all when none is named")
    parser.add_argument("--within", type=float, metavar="S", help="begin no other after so long")
    asked = parser.parse_args()
    chosen = AREAS[_today() % len(AREAS)] if asked.area == TODAY else asked.area
    planted = alive = 0
    for area in [chosen] if chosen else areas:
        began = time.monotonic()
        for name, by in _found(area, asked.within):
            sys.stdout.write(f"{area:<10} {name}\n{'':<11}{by or 'LIVES'}"[:240] + "\n")
            sys.stdout.flush()
            planted += 1
            alive += by is None
        sys.stdout.write(f"{area:<10} took {time.monotonic() - began:.0f} s\n")
    sys.stdout.write(f"{planted} planted bugs, {alive} alive\n")
    return 1 if alive else 0


if __name__ == "__main__":
    with apart():
        sys.exit(main())
