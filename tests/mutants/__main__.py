"""``make mutants``: plants every bug and prints what found it; exits with 1 if one survives.

`AREA=ingress` selects one area. The areas `model` and `simulation` have 32 bugs that replace a
function; all others are edits of a temporary copy of the source. `--sample=15` selects that many
edits, evenly spaced over the table.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from messaging.topic_admin import create_topics
from sandbox.testing import Infrastructure, running_infrastructure
from schemas.settings import KafkaSettings
from tests.conftest import PARTITIONS
from tests.isolation.isolated import isolated
from tests.mutants.catalogue import BUGS
from tests.mutants.find import by_search, by_seeds
from tests.mutants.planted import AREAS, Bug
from tests.mutants.table import DOMAIN_BUGS, PIPELINE_BUGS, DomainBug, PipelineBug
from tests.mutants.workspace import Workspace

MODEL: Final = "model"
SIMULATION: Final = "simulation"
SAMPLE: Final = "sample"
Found = tuple[str, str | None]
"""A bug's name, and what found it; None if it survived."""


def _search(planted: DomainBug) -> str | None:
    error = by_search(planted)
    return f"the search, after {len(error.path)} inputs: {error.what}" if error else None


def _seeds(planted: PipelineBug) -> str | None:
    report = by_seeds(planted)
    if report is None:
        return None
    violation = report.violations[0]
    return f"seed {report.seed}, {violation.code}: {violation.what}"


def _by_edit(bugs: Sequence[Bug], folder: Path) -> Iterator[Found]:
    """Plants each bug in turn. First the tests run without a bug and must pass.

    Raises:
        MisplacedError: a bug's source text was not found.
        NoTrialError: its tests could not be run.
    """
    with _servers(folder, needed=any(bug.servers for bug in bugs)) as servers:
        workspace = Workspace(folder / "copy", servers)
        healthy = workspace.run(tuple(dict.fromkeys(test for bug in bugs for test in bug.tests)))
        if healthy.found_by is not None:
            yield f"without any bug, {healthy.found_by} fails", None
            return
        for bug in bugs:
            verdict = workspace.trial(bug)
            found = verdict.found_by
            yield bug.name, found and f"{verdict.seconds:.1f} s, {found}"


@contextmanager
def _servers(folder: Path, *, needed: bool) -> Iterator[Infrastructure | None]:
    """A broker with its topics, and a database, if any test needs them."""
    if not needed:
        yield None
        return
    with running_infrastructure(folder / "servers") as servers:
        kafka = KafkaSettings(
            kafka_bootstrap=servers.kafka_bootstrap, partitions=PARTITIONS, replication_factor=1
        )
        asyncio.run(create_topics(kafka))
        yield servers


def _found(area: str, bugs: Sequence[Bug]) -> Iterator[Found]:
    if area == MODEL:
        yield from ((planted.name, _search(planted)) for planted in DOMAIN_BUGS)
    elif area == SIMULATION:
        yield from ((planted.name, _seeds(planted)) for planted in PIPELINE_BUGS)
    else:
        with tempfile.TemporaryDirectory(prefix="mutants-", ignore_cleanup_errors=True) as folder:
            yield from _by_edit(bugs, Path(folder))


def _runs(area: str | None, sample: int | None) -> Iterator[tuple[str, Sequence[Bug]]]:
    """The selected areas with their edits, or a sample of all edits."""
    if sample is not None:
        yield SAMPLE, [BUGS[at * len(BUGS) // sample] for at in range(sample)]
        return
    for each in (MODEL, SIMULATION, *AREAS):
        if area in {None, each}:
            yield each, [bug for bug in BUGS if bug.area == each]


def main() -> int:
    """Plants the selected bugs, and returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    areas = (MODEL, SIMULATION, *AREAS)
    parser.add_argument("area", nargs="?", choices=areas, help="all when none is named")
    parser.add_argument("--sample", type=int, metavar="N", help="this many of the edits")
    arguments = parser.parse_args()
    planted = survived = 0
    for area, bugs in _runs(arguments.area, arguments.sample):
        began = time.monotonic()
        for name, by in _found(area, bugs):
            sys.stdout.write(f"{area:<10} {name}\n{'':<11}{by or 'SURVIVED'}"[:240] + "\n")
            sys.stdout.flush()
            planted += 1
            survived += by is None
        sys.stdout.write(f"{area:<10} took {time.monotonic() - began:.0f} s\n")
    sys.stdout.write(f"{planted} planted bugs, {survived} survived\n")
    return 1 if survived else 0


if __name__ == "__main__":
    with isolated():
        sys.exit(main())
