"""The commands that check what is stored: ``audit`` and ``rebuild``."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from processor.audit import gather
from processor.invariants import CHECKED, check, meaning
from processor.operate.rebuild import Rebuilt, rebuild
from processor.operate.terminal import bootstrap, command_parser, database_url, say, utc_now
from processor.store.batch import Decode
from schemas.settings import WorkSettings, load

#: Violations of one invariant that are told in words.
SHOWN_MAX: Final = 5


def run_rebuild(arguments: Sequence[str], decoder: Callable[[], Decode]) -> int:
    """Recomputes everything from the log, and compares."""
    command_parser(
        "rebuild",
        "Decides the whole log anew in the schema `rebuild` of the same database, and compares\n"
        "it with what is stored. Changes nothing that is stored; the service may go on. Takes as\n"
        "much disk as the log and the tables, a batch of memory, and one long transaction. The\n"
        "schema is dropped when all is equal, and kept to look into when not: then 1.",
    ).parse_args(arguments)
    done = asyncio.run(rebuild(bootstrap(), database_url(), decoder(), utc_now))
    for text in _rebuilt(done):
        say(text)
    return 0 if done.is_equal else 1


def _rebuilt(done: Rebuilt) -> Sequence[str]:
    lines = [f"{done.inputs} inputs decided again, of {done.records} records"]
    for table in done.tables:
        lines.append(f"{table.table:<17}{table.checked:>9} rows, {table.different} differ")
        lines += [f"     {text}" for text in table.shown]
    lines.append(f"{done.not_checkable} payments are not checkable, {done.held} are held")
    return lines


def run_audit(arguments: Sequence[str], decoder: Callable[[], Decode]) -> int:
    """Prints one line per invariant, and the first violations."""
    parser = command_parser(
        "audit",
        "Checks every invariant on the running system. What is in flight is no violation. 1 when\n"
        "one is violated. Reads all tables and topics into memory.",
    )
    parser.add_argument(
        "--settle", type=float, default=60.0, metavar="S",
        help="what is younger may still be on its way, in seconds (60); 0: the system is at rest",
    )  # fmt: skip
    parser.add_argument("--rebuild", action="store_true", help="S7 too: takes as long as `rebuild`")
    parser.add_argument("--json", action="store_true", help="for a program to read")
    options = parser.parse_args(arguments)
    found = asyncio.run(_audit(options.settle, decoder() if options.rebuild else None))
    say(json.dumps(found, indent=2) if options.json else "\n".join(_audited(found)))
    return 1 if any(line["violations"] for line in found.values()) else 0


async def _audit(settle_s: float, rebuild_with: Decode | None) -> dict[str, dict[str, Any]]:
    retention_s = load(WorkSettings).history_retention_s
    evidence = await gather(bootstrap(), database_url(), settle_s, retention_s)
    found: dict[str, dict[str, Any]] = {}
    for code, violations in check(evidence).items():
        unit, count = CHECKED[code]
        found[code] = {
            "meaning": meaning(code), "checked": count(evidence), "unit": unit,
            "violations": len(violations), "first": violations[:SHOWN_MAX],
        }  # fmt: skip
    if rebuild_with is not None:
        done = await rebuild(bootstrap(), database_url(), rebuild_with, utc_now)
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
