"""The one-page summary of a run. Pure."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from tests.chaos.history import (
    Accepted,
    Exited,
    FaultBegan,
    FaultEnded,
    Mark,
    Outcome,
    Published,
    Read,
    Refused,
    Unknown,
)
from tests.chaos.judging.check import WEBHOOK, IndexedHistory
from tests.chaos.judging.recovery import recoveries

#: The most violations shown per rule.
SHOWN: Final = 8


def lines(
    history: IndexedHistory, seed: int, violations: Mapping[str, Sequence[str]]
) -> Iterator[str]:
    """The page's lines."""
    entries = history.entries
    yield f"seed {seed}"
    yield f"payments    {_counted(Counter(e.status for e in history.stored.values()))}"
    for side, is_webhook in (("requests", False), ("webhooks", True)):
        results = Counter(
            type(e).__name__.lower()
            for e in entries
            if isinstance(e, Accepted | Refused | Unknown)
            and (history.invoked[e.number].operation == WEBHOOK) is is_webhook
        )
        yield f"{side}    {_counted(results)}"
    yield f"outcomes    {_counted(Counter(e.outcome for e in entries if isinstance(e, Outcome)))}"
    published, reads = (sum(isinstance(e, kind) for e in entries) for kind in (Published, Read))
    yield f"published   {published} records of {len(history.published)} payments; {reads} reads"
    ends = Counter(f"{e.name.partition('-')[0]} {e.code}" for e in entries if isinstance(e, Exited))
    yield f"exits       {_counted(ends)}"
    marks = {e.name: e.at for e in entries if isinstance(e, Mark)}
    if "rest" in marks:
        yield f"at rest     {marks['rest'] - marks['quiet']:.1f} s after the last fault"
    yield from _faults(history)
    yield ""
    yield "recovery in seconds, p50 / max"
    for kind, recovery in sorted(recoveries(entries).items()):
        yield f"  {kind:<20} {recovery}"
    yield ""
    yield from _judgement(violations)


def _faults(history: IndexedHistory) -> Iterator[str]:
    begun = Counter(e.kind for e in history.entries if isinstance(e, FaultBegan))
    with_effect = Counter(e.kind for e in history.entries if isinstance(e, FaultEnded) and e.effect)
    last_effect = {
        e.kind: e.effect for e in history.entries if isinstance(e, FaultEnded) and e.effect
    }
    yield ""
    yield "faults: count, how many had an effect, the last effect"
    for kind in sorted(begun):
        shown = last_effect.get(kind, "NO EFFECT")
        yield f"  {kind:<20} {begun[kind]:>4} {with_effect[kind]:>4}   {shown}"


def _judgement(violations: Mapping[str, Sequence[str]]) -> Iterator[str]:
    for rule, found in violations.items():
        yield f"  {rule:<28} {'ok' if not found else f'VIOLATED {len(found)} times'}"
        yield from (f"    {what[:400]}" for what in found[:SHOWN])
    count = sum(map(len, violations.values()))
    yield f"{count} violations" if count else "no violation"


def _counted(counts: Counter[str]) -> str:
    total = sum(counts.values())
    parts = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
    return f"{total}: {parts}" if parts else str(total)
