"""Decides the inputs of a part again, and compares.

One transaction sees the stored rows of the part as of one moment, so the service can keep running.
The same ``fold`` and the same SQL as the stream's write to tables beside the stored ones.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any, Final

from decisions.fold import fold
from ports.records import DeadLetter, Decode, DecodedInput, named_object
from postgres.batch import transaction as batch
from postgres.ops.rebuild import shadow
from postgres.ops.rebuild import stored as sql
from postgres.ops.rebuild.differences import TABLES
from postgres.ops.rebuild.parts import Connection, Part
from postgres.ops.rebuild.work import Work
from processor.ops.rebuild.blocks import LogRecord, unpack
from processor.ops.rebuild.compare import compare
from processor.ops.rebuild.facts import contradictions
from processor.ops.rebuild.results import EXAMPLES_MAX, PartResult, TableComparison, encode

#: Inputs per batch of the rebuild; this limits the memory used.
CHUNK_INPUTS: Final = 25_000


@dataclass(slots=True)
class _Inputs:
    """The inputs of a part: what is decided again, and of which payments that can't be done."""

    decided: list[LogRecord] = field(default_factory=list)
    #: A record has left the log, or the order of its decision is unknown.
    incomplete: set[str] = field(default_factory=set)
    #: A record came after the log was copied.
    newer: set[str] = field(default_factory=set)

    @property
    def left_out(self) -> set[str]:
        """The payments that are not decided again."""
        return self.incomplete | self.newer


async def decide_part(
    connection: Connection,
    work: Work,
    stored: str,
    part: Part,
    decode: Decode,
    clock: Callable[[], datetime],
) -> None:
    """Decides a part again, compares it, and keeps the result. Raises psycopg.Error.

    Args:
        connection: one with shadow tables, which are empty.
        work: what the rebuild keeps.
        stored: the schema of the stored rows.
        part: the payments.
        decode: decodes a record.
        clock: the current time in UTC.
    """
    log = unpack(await work.blocks(connection, part.number))
    copied = await work.copied(connection)
    async with connection.transaction():
        await connection.execute(shadow.ONE_MOMENT)
        inputs = _sort_out(await sql.inputs(connection, stored, part), log, copied)
        inputs.incomplete |= await sql.beheaded(connection, stored, part)
        left_out = inputs.left_out
        again = [r for r in inputs.decided if r.key.decode() not in left_out]
        await _decide(connection, stored, part, again, left_out, decode, clock())
        result = PartResult(
            records=len(log),
            inputs=len(again),
            not_checkable=len(inputs.incomplete),
            not_checkable_first=tuple(sorted(inputs.incomplete)[:EXAMPLES_MAX]),
            newer=len(inputs.newer - inputs.incomplete),
            quarantined=await sql.count_quarantines(connection, stored, part),
            tables=tuple(
                [await compare(connection, stored, table, part, left_out) for table in TABLES]
            ),
            facts=await _check_facts(connection, stored, sorted(inputs.incomplete)),
        )
        await work.note_result(connection, part.number, encode(result))


def _sort_out(
    rows: Sequence[tuple[Any, ...]],
    log: Mapping[tuple[str, int, int], LogRecord],
    copied: Mapping[tuple[str, int], int],
) -> _Inputs:
    """Finds the records of the inbox's rows, which are in the order of their decisions."""
    found = _Inputs()
    for payment_id, topic, partition, offset, is_decidable, is_decided in rows:
        record = log.get((topic, partition, offset))
        if record is None and offset >= copied.get((topic, partition), 0):
            found.newer.add(payment_id)
        elif record is None or not is_decidable or record.key != payment_id.encode():
            found.incomplete.add(payment_id)
        elif is_decided:
            found.decided.append(record)
    return found


async def _decide(
    connection: Connection,
    stored: str,
    part: Part,
    records: Sequence[LogRecord],
    left_out: set[str],
    decode: Decode,
    now: datetime,
) -> None:
    """Decides records in their order. Undecodable ones are skipped, and show up as differences."""
    rest = iter(records)
    while some := list(islice(rest, CHUNK_INPUTS)):
        decoded = [decode(record.consumed()) for record in some]
        received = [item for item in decoded if not isinstance(item, DeadLetter)]
        await sql.copy_owners(connection, stored, part, _objects(received), left_out)
        loaded = await batch.load(connection, received, decode, alone=True)
        await batch.write(connection, fold(loaded, received), now, alone=True)


def _objects(received: Sequence[DecodedInput]) -> set[tuple[str, str]]:
    """Returns the providers' objects that the inputs name."""
    return {
        (each.provider, object_id)
        for each in received
        if each.provider is not None and (object_id := named_object(each)) is not None
    }


async def _check_facts(
    connection: Connection, stored: str, payment_ids: Sequence[str]
) -> TableComparison:
    if not payment_ids:
        return TableComparison("facts", 0, 0, ())
    checked, wrong = await contradictions(connection, stored, payment_ids)
    return TableComparison("facts", checked, len(wrong), tuple(wrong[:EXAMPLES_MAX]))
