"""``audit``: checks the stored data against the invariants."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final

import typer

from cli.rebuild import decode
from cli.terminal import bootstrap, database_url, is_terminal, say, say_table, seconds
from postgres.batch.transaction import Decode
from processor.ops.audit import gather
from processor.ops.invariants import INVARIANTS, check
from processor.ops.rebuild import run as ops
from runtime.clock import utc_now
from schemas.settings import WorkerSettings, load

#: Violations of one invariant that are printed.
EXAMPLES_MAX: Final = 5


def audit(
    settle: Annotated[
        float,
        typer.Option(
            metavar="S",
            callback=seconds,
            help="Younger data may be in flight and is no violation, in seconds. 0: none is.",
        ),
    ] = 60.0,
    *,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Check S7 too. Takes as long as `rebuild`.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Checks every invariant on the running system.

    Exit code 1: an invariant is violated. Records in flight are no violation. The command reads
    all tables and topics into memory.
    """
    found = asyncio.run(_audit(settle, decode() if rebuild else None))
    if as_json:
        say(json.dumps(found, indent=2))
    elif is_terminal():
        say_table(("", "violations", "checked", "", "invariant"), map(_row, found, found.values()))
        for code, result in found.items():
            for text in result["first"]:
                say(f"{code}: {text}")
    else:
        for text in _describe_audit(found):
            say(text)
    return 1 if any(result["violations"] for result in found.values()) else 0


async def _audit(settle_s: float, rebuild_with: Decode | None) -> dict[str, dict[str, Any]]:
    retention_s = load(WorkerSettings).history_retention_s
    evidence = await gather(bootstrap(), database_url(), settle_s, retention_s)
    found: dict[str, dict[str, Any]] = {}
    for code, violations in check(evidence).items():
        invariant = INVARIANTS[code]
        found[code] = {
            "meaning": invariant.meaning,
            "checked": invariant.count(evidence), "unit": invariant.unit,
            "violations": len(violations), "first": violations[:EXAMPLES_MAX],
        }  # fmt: skip
    if rebuild_with is not None:
        result = await ops.rebuild(bootstrap(), database_url(), rebuild_with, utc_now)
        examples = [f"{table.table} {text}" for table in result.compared for text in table.examples]
        found["S7"] = {
            "meaning": "a rebuild from the log equals the stored rows.",
            "checked": sum(table.checked for table in result.compared), "unit": "rows",
            "violations": sum(table.different for table in result.compared),
            "first": examples[:EXAMPLES_MAX],
        }  # fmt: skip
    return dict(sorted(found.items(), key=lambda item: (item[0][0] == "L", int(item[0][1:]))))


def _row(code: str, result: Mapping[str, Any]) -> tuple[str, ...]:
    verdict = str(result["violations"] or "ok")
    return code, verdict, str(result["checked"]), result["unit"], result["meaning"]


def _describe_audit(found: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for code, result in found.items():
        _, verdict, checked, unit, meaning = _row(code, result)
        yield f"{code}  {verdict:>4}  {checked:>8} {unit:<9} {meaning}"
        yield from (f"     {text}" for text in result["first"])
