"""Reports how far a step of a rebuild is: how fast it goes, and what is left."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Final, NamedTuple

#: How often progress is reported, in seconds.
REPORT_EVERY_S: Final = 5.0


class Done(NamedTuple):
    """How far a step is: what is done, of how much, and what was handled for that."""

    done: int
    of: int
    handled: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a step is."""

    step: str
    done: int
    of: int
    unit: str
    #: What is handled in a second, and in which unit.
    per_second: float
    handled: str
    #: The seconds that are left if it goes on like this; None if that is not known yet.
    left_s: float | None


#: Takes progress, or a note.
Report = Callable[[Progress | str], None]


def ignore(_: Progress | str) -> None:
    """Reports nothing."""


@asynccontextmanager
async def reporting(
    step: str,
    unit: str,
    read: Callable[[], Awaitable[Done]],
    report: Report,
    handled: str | None = None,
) -> AsyncIterator[None]:
    """Reports now and then how far the step inside is, and once at its end.

    Args:
        step: what is done.
        unit: of what is done.
        read: returns how far it is.
        report: takes the progress.
        handled: the unit of what is handled; None: that of what is done.
    """
    begin, begun_at = await read(), monotonic()

    async def now() -> None:
        found, seconds = await read(), monotonic() - begun_at
        new = found.done - begin.done
        of = max(found.of, found.done)  # what there is to do is an estimate
        left_s = seconds * (of - found.done) / new if new > 0 else None
        report(
            Progress(
                step=step,
                done=found.done,
                of=of,
                unit=unit,
                per_second=(found.handled - begin.handled) / max(seconds, 1e-3),
                handled=handled or unit,
                left_s=left_s,
            )
        )

    async def repeat() -> None:
        while True:
            await asyncio.sleep(REPORT_EVERY_S)
            await now()

    repeating = asyncio.create_task(repeat(), name="rebuild-progress")
    try:
        yield
    finally:
        repeating.cancel()
        await asyncio.gather(repeating, return_exceptions=True)
    await now()
