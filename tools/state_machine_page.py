"""Generates the diagram and the table in ``docs/state-machine.md`` from the transitions."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from domain.status import Status
from domain.transitions import FINAL, TRANSITIONS

PAGE: Final = Path(__file__).parent.parent / "docs" / "state-machine.md"
BEGIN: Final = "<!-- from domain/transitions.py: `python -m tools.generate` -->"
END: Final = "<!-- end -->"


def _diagram() -> Iterator[str]:
    """Yields a Mermaid state diagram. The events are in the table: labels on arrows overlap."""
    yield "```mermaid"
    yield "stateDiagram-v2"
    yield "    direction LR"
    yield f"    [*] --> {Status.CREATED}"
    for edge in TRANSITIONS:
        yield f"    {edge.source} --> {edge.target}"
    for status in Status:
        if status in FINAL:
            yield f"    {status} --> [*]"
    yield "```"


def _table() -> Iterator[str]:
    """Yields a table of events, with a row per source status and a column per target."""
    targets = [status for status in Status if status is not Status.CREATED]
    events = {(edge.source, edge.target): edge.event for edge in TRANSITIONS}
    yield "| from \\ to | " + " | ".join(targets) + " |"
    yield "| --- |" + " --- |" * len(targets)
    for source in Status:
        cells = [events.get((source, target), "") for target in targets]
        name = f"**{source}** (final)" if source in FINAL else source
        yield f"| {name} | " + " | ".join(cells) + " |"


def generated_part() -> str:
    """Returns the generated part of the page, with its markers."""
    return "\n".join([BEGIN, "", *_diagram(), "", *_table(), "", END])


def page() -> str:
    """Returns the whole page with the generated part up to date."""
    text = PAGE.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{generated_part()}{after}"
