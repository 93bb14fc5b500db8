"""The commands that check what is stored: ``audit`` and ``rebuild``."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

import typer

from cli.terminal import bootstrap, database_url, say
from decisions.decode import Decoder
from postgres.batch import Decode
from processor.ops import rebuild as ops
from processor.ops.audit import gather
from processor.ops.invariants import INVARIANTS, check
from processor.ops.rebuild import Rebuilt
from providers.registry import translators
from runtime.clock import utc_now
from schemas.settings import WorkerSettings, load

#: Violations of one invariant that are told in words.
SHOWN_MAX: Final = 5


def rebuild() -> int:
    """Decides the whole log again and compares it with what is stored.

    It works in the schema `rebuild` of the same database and changes nothing that is stored; the
    service may go on. Takes as much disk as the log and the tables, a batch of memory, and one long
    transaction. The schema is dropped when all is equal, and kept to look into when not: then 1.
    """
    done = asyncio.run(ops.rebuild(bootstrap(), database_url(), _decode(), utc_now))
    for text in _rebuilt(done):
        say(text)
    return 0 if done.is_equal else 1


def _decode() -> Decode:
    return Decoder(translators()).decode


def _rebuilt(done: Rebuilt) -> Sequence[str]:
    lines = [f"{done.inputs} inputs decided again, of {done.records} records"]
    for table in done.tables:
        lines.append(f"{table.table:<17}{table.checked:>9} rows, {table.different} differ")
        lines += [f"     {text}" for text in table.shown]
    lines.append(
        f"{done.not_checkable} payments are not checkable, {done.quarantined} are quarantined"
    )
    return lines


def audit(
    settle: Annotated[
        float,
        typer.Option(
            metavar="S",
            help="What is younger may still be on its way, in seconds. 0: the system is at rest.",
        ),
    ] = 60.0,
    *,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="S7 too: takes as long as `rebuild`.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For a program to read.")] = False,
) -> int:
    """Checks every invariant on the running system; 1 when one is violated.

    What is in flight is no violation. Reads all tables and topics into memory.
    """
    found = asyncio.run(_audit(settle, _decode() if rebuild else None))
    say(json.dumps(found, indent=2) if as_json else "\n".join(_audited(found)))
    return 1 if any(line["violations"] for line in found.values()) else 0


async def _audit(settle_s: float, rebuild_with: Decode | None) -> dict[str, dict[str, Any]]:
    retention_s = load(WorkerSettings).history_retention_s
    evidence = await gather(bootstrap(), database_url(), settle_s, retention_s)
    found: dict[str, dict[str, Any]] = {}
    for code, violations in check(evidence).items():
        invariant = INVARIANTS[code]
        found[code] = {
            "meaning": invariant.meaning,
            "checked": invariant.count(evidence), "unit": invariant.unit,
            "violations": len(violations), "first": violations[:SHOWN_MAX],
        }  # fmt: skip
    if rebuild_with is not None:
        done = await ops.rebuild(bootstrap(), database_url(), rebuild_with, utc_now)
        found["S7"] = {
            "meaning": "a rebuild from the log equals the stored rows.",
            "checked": sum(table.checked for table in done.tables), "unit": "rows",
            "violations": sum(table.different for table in done.tables),
            "first": [f"{t.table} {text}" for t in done.tables for text in t.shown][:SHOWN_MAX],
        }  # fmt: skip
    return dict(sorted(found.items(), key=lambda item: (item[0][0] == "L", int(item[0][1:]))))


def _audited(found: Mapping[str, Mapping[str, Any]]) -> Sequence[str]:
    lines = []
    for code, line in found.items():
        verdict = line["violations"] or "ok"
        lines.append(
            f"{code}  {verdict:>4}  {line['checked']:>8} {line['unit']:<9} {line['meaning']}"
        )
        lines += [f"     {text}" for text in line["first"]]
    return lines
