"""``rebuild``: decides the log again and compares."""

import asyncio
import os
import re
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Final

import typer

from cli.terminal import bootstrap, database_url, payment_id, say
from decisions.decode import Decoder
from ports.errors import UndecodableRecordError
from ports.records import Decode
from ports.texts import printable, utc_time
from processor.ops.rebuild import run as ops
from processor.ops.rebuild.progress import Progress
from processor.ops.rebuild.results import RebuildResult
from processor.ops.rebuild.run import Scope
from providers.registry import translators
from runtime.clock import utc_now
from schemas.settings_types import DURATION_MAX_S

_DURATION: Final = re.compile(r"(\d{1,12})([smhd])", re.ASCII)
_UNIT_S: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
#: By default one for each processor, up to this many: Postgres works beside each.
JOBS: Final = min(4, os.cpu_count() or 1)
PROCESSES_MAX: Final = 64


def _moment(text: str | None) -> str | None:
    if text is not None:
        since(text, utc_now())
    return text


def since(text: str, now: datetime) -> datetime:
    """Returns the time that ``--since`` means, or raises the error of a wrong command line."""
    if found := _DURATION.fullmatch(text):
        seconds = int(found[1]) * _UNIT_S[found[2]]
        if seconds <= DURATION_MAX_S:
            return now - timedelta(seconds=seconds)
    else:
        try:
            return utc_time(text)
        except UndecodableRecordError:
            pass
    raise typer.BadParameter(
        f"{text!r} is neither a duration (90s, 30m, 24h, 7d) nor a time with its offset from UTC"
    )


def rebuild(
    payment: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", parser=payment_id, help="Only this payment. Repeatable."),
    ] = None,
    since_: Annotated[
        str | None,
        typer.Option(
            "--since",
            metavar="WHEN",
            callback=_moment,
            help="Only payments with an input since then: a time, or a duration like 24h or 7d.",
        ),
    ] = None,
    *,
    again: Annotated[
        bool, typer.Option("--again", help="Begin again, even if a rebuild was interrupted.")
    ] = False,
    jobs: Annotated[
        int,
        typer.Option(min=1, max=PROCESSES_MAX, metavar="N", help="Processes that share the work."),
    ] = JOBS,
) -> int:
    """Decides the log again and compares the result with the stored rows.

    Exit code 1: a row differs. The service can keep running, and no stored row is changed. Payments
    whose log is incomplete are compared with their own facts. What is finished stays so: after an
    interruption the command goes on. It keeps a compressed copy of the log in the schema
    `rebuild_all` until it is through. With --payment, the rows that were decided again are kept in
    the schema `rebuild` for inspection if something differs.
    """
    if payment and since_ is not None:
        raise typer.BadParameter("--payment and --since do not go together")
    if again and (payment or since_ is not None):
        raise typer.BadParameter("--again goes with a rebuild of all payments")
    scope = Scope(
        payment_ids=tuple(payment or ()),
        since=None if since_ is None else since(since_, utc_now()),
    )
    result = asyncio.run(
        ops.rebuild(
            bootstrap(), database_url(), decode(), utc_now, scope,
            again=again, jobs=jobs, report=_report,
        )
    )  # fmt: skip
    for text in describe(result, scope):
        say(text)
    return 0 if result.is_equal else 1


def decode() -> Decode:
    """Returns the decoder of the configured providers. Raises SettingsError."""
    # as the file is now: processes get a copy, which follows nothing
    return Decoder(dict(translators())).decode


def describe(result: RebuildResult, scope: Scope) -> Iterator[str]:
    """Yields the lines of a result."""
    yield f"{result.inputs} inputs decided again, of {result.records} records"
    for table in result.tables:
        yield f"{table.table:<17}{table.checked:>9} rows, {table.different} differ"
        yield from (f"     {text}" for text in table.examples)
    yield f"{result.not_checkable} payments can't be checked, {result.quarantined} are quarantined"
    yield from _describe_rest(result)
    if not result.is_equal:
        yield (
            "see what was decided again in the schema rebuild"
            if scope.payment_ids
            else "rebuild --payment ID keeps what is decided again, in the schema rebuild"
        )


def _describe_rest(result: RebuildResult) -> Iterator[str]:
    if result.not_checkable:
        names = _names(result.not_checkable_first, result.not_checkable)
        yield f"     {names}: their log is incomplete, so they were compared with their own facts"
        facts = result.facts
        yield f"{facts.table:<17}{facts.checked:>9} payments, {facts.different} contradictions"
        yield from (f"     {text}" for text in result.facts.examples)
    if result.newer:
        yield f"{result.newer} payments left out: they had an input after the log was copied"


def _names(first: Sequence[str], count: int) -> str:
    return ", ".join(first) + (f" and {count - len(first)} more" if count > len(first) else "")


def _report(progress: Progress | str) -> None:
    text = progress if isinstance(progress, str) else describe_progress(progress)
    print(printable(text), file=sys.stderr, flush=True)  # noqa: T201  # for the operator


def describe_progress(progress: Progress) -> str:
    """Returns progress on one line."""
    text = (
        f"{progress.step}: {progress.done:,} of {progress.of:,} {progress.unit}, "
        f"{progress.per_second:,.0f} {progress.handled} a second"
    )
    if progress.left_s is None or progress.done == progress.of:
        return text
    return f"{text}, {timedelta(seconds=round(progress.left_s))} left"
