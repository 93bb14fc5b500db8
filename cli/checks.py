"""``audit``: checks the stored data against the invariants."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Annotated

import msgspec
import typer

from cli.progress import Progress
from cli.rebuild import JOBS, PROCESSES_MAX, decode
from cli.rebuild import since as moment_of
from cli.terminal import (
    bootstrap,
    database_url,
    is_terminal,
    payment_id,
    say,
    say_table,
    seconds,
    sigterm_like_ctrl_c,
)
from processor.ops.audit.findings import EXAMPLES_MAX, Finding, Findings
from processor.ops.audit.run import Scope
from processor.ops.audit.run import audit as ops_audit
from processor.ops.rebuild import run as ops
from runtime.clock import utc_now
from schemas.settings import KafkaSettings, WorkerSettings, load


def _moment(text: str) -> datetime:
    return moment_of(text, utc_now())


def audit(
    settle: Annotated[
        float,
        typer.Option(
            metavar="S",
            callback=seconds,
            help="Younger data may be in flight and is no violation, in seconds. 0: none is.",
        ),
    ] = 60.0,
    since: Annotated[
        datetime | None,
        typer.Option(
            metavar="WHEN",
            parser=_moment,
            help="Check only payments with a new input since then, or with something that waits.",
        ),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option("--from", metavar="ID", parser=payment_id, help="Go on at this payment ID."),
    ] = None,
    *,
    jobs: Annotated[
        int,
        typer.Option(min=1, max=PROCESSES_MAX, metavar="N", help="Processes that share the work."),
    ] = JOBS,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Check S7 too. Takes as long as `rebuild`.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Checks every invariant on the running system.

    Exit code 1: an invariant is violated. Records in flight are no violation. The memory needed
    does not depend on what is stored. Progress goes to standard error; an audit that was
    interrupted goes on with --from. WHEN is a time with its offset from UTC, or a duration:
    90m, 2h, 7d.
    """
    kept, log = load(WorkerSettings).history_retention_s, load(KafkaSettings).log_retention_s
    scope = Scope(
        settle_s=settle, retention_s=kept, log_retention_s=log, start=start or "", since=since
    )
    findings, progress = Findings(), Progress()
    try:
        with sigterm_like_ctrl_c():
            asyncio.run(
                ops_audit(bootstrap(), database_url(), scope, utc_now, findings, progress, jobs)
            )
    except BaseException:
        progress.close()
        if findings.reached is not None:
            _print(findings, as_json=as_json)
            progress.say(f"interrupted: go on with {_options(since, findings.reached)}")
        raise
    progress.close()
    if rebuild:
        findings.by_code["S7"] = asyncio.run(_rebuilt(jobs))
    _print(findings, as_json=as_json)
    return 1 if findings.is_violated else 0


def _options(since: datetime | None, reached: str) -> str:
    options = [] if since is None else [f"--since {since.isoformat()}"]
    return " ".join([*options, f"--from {reached}"])


async def _rebuilt(jobs: int) -> Finding:
    result = await ops.rebuild(bootstrap(), database_url(), decode(), utc_now, jobs=jobs)
    examples = [f"{table.table} {text}" for table in result.compared for text in table.examples]
    return Finding(
        meaning="a rebuild from the log equals the stored rows.",
        unit="rows",
        checked=sum(table.checked for table in result.compared),
        violations=sum(table.different for table in result.compared),
        first=examples[:EXAMPLES_MAX],
    )


def _print(findings: Findings, *, as_json: bool) -> None:
    found = findings.in_order()
    if as_json:
        say(json.dumps(msgspec.to_builtins(found), indent=2))
    elif is_terminal():
        say_table(("", "violations", "checked", "", "invariant"), map(_row, found, found.values()))
        for code, finding in found.items():
            for text in finding.first:
                say(f"{code}: {text}")
    else:
        for text in _describe_audit(found):
            say(text)


def _row(code: str, finding: Finding) -> tuple[str, ...]:
    verdict = str(finding.violations or "ok")
    return code, verdict, str(finding.checked), finding.unit, finding.meaning


def _describe_audit(found: Mapping[str, Finding]) -> Iterator[str]:
    for code, finding in found.items():
        _, verdict, checked, unit, meaning = _row(code, finding)
        yield f"{code}  {verdict:>4}  {checked:>8} {unit:<9} {meaning}"
        yield from (f"     {text}" for text in finding.first)
