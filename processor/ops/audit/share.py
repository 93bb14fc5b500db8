"""A share of an audit: some of the ranges, which it reads from Postgres and checks one by one."""

import asyncio
import gc
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from msgspec import Struct

from postgres.deadlines import BlockingConnection
from postgres.ops import audit as sql
from processor.ops.audit import tables
from processor.ops.audit.findings import Finding, Findings
from processor.ops.audit.ranges import Range, Ranges
from processor.ops.audit.tables import Times
from processor.ops.invariants import Evidence
from processor.ops.ledger import Outcomes
from processor.ops.processes import Receive

#: After how many ranges Python looks for cycles of objects.
COLLECTED_RANGES: Final = 40


class Checked(Struct, frozen=True, kw_only=True):
    """What was found in a range."""

    number: int
    payments: int
    findings: dict[str, Finding]
    #: The records whose outcomes it has.
    outcomes: Outcomes


class AuditShare(Struct, frozen=True, kw_only=True):
    """The ranges ``number``, ``number + count`` and so on.

    Args:
        database_url: Postgres.
        folder: has the notes of the ranges.
        boundaries: of all ranges.
        times: what is old and what is young.
        number: of this share.
        count: of all shares.
        without: invariants that are not checked range by range.
    """

    database_url: str
    folder: Path
    boundaries: list[str]
    times: Times
    number: int
    count: int
    without: tuple[str, ...]

    async def do(self, send: Receive) -> None:
        """Checks its ranges, and sends a ``Checked`` for each. Raises psycopg.Error."""
        with (
            BlockingConnection.connect(self.database_url, autocommit=True) as connection,
            _collecting_rarely(),
        ):
            connection.execute(sql.READ_AHEAD)
            ranges = Ranges(self.folder, self.boundaries)
            for number, one in enumerate(list(ranges)[self.number :: self.count]):
                send(await asyncio.to_thread(self._checked, connection, ranges, one))
                if number % COLLECTED_RANGES == 0:
                    gc.collect()

    def _checked(self, connection: tables.Connection, ranges: Ranges, one: Range) -> Checked:
        evidence = tables.read(connection, one, ranges.take(one), self.times)
        findings = Findings()
        findings.check(evidence, *self.without)
        return Checked(
            number=one.number,
            payments=len(evidence.payments),
            findings=findings.by_code,
            outcomes=_outcomes(evidence),
        )


def _outcomes(evidence: Evidence) -> Outcomes:
    found: dict[tuple[str, int], array[int]] = {}
    for row in evidence.inbox:
        at = row.position
        offsets = found.get((at.topic, at.partition))
        if offsets is None:
            offsets = found[at.topic, at.partition] = array("q")
        offsets.append(at.offset)
    return found


@contextmanager
def _collecting_rarely() -> Iterator[None]:
    """Python looks for cycles of objects only when asked. Evidence has none, and many objects."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
