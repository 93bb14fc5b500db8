"""The outcomes as a page: ``docs/outcomes.md`` keeps it, so a change of behaviour shows there."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from domain.status import DisputeStatus, RefundStatus, Status
from tests.checker.outcome_table.outcomes import (
    DISPUTES,
    EARLY_DISPUTES,
    EARLY_REFUNDS,
    REFUNDS,
    RESULTS,
    TITLES,
    Cells,
    Row,
)
from tests.checker.outcome_table.standing import NOT_HERE

PAGE: Final = Path(__file__).parents[3] / "docs" / "outcomes.md"
_NOT_MET: Final = "not met"
_CALLS: Final = (NOT_HERE, "never", "create", "confirm", "capture", "cancel", "refund")
_PAYMENTS: Final = (NOT_HERE, *Status)
#: By title: the words that rows begin with, in their order; the others' rows are payments.
_ROWS: Final[Mapping[str, Sequence[str]]] = {
    RESULTS: _CALLS,
    REFUNDS: tuple(RefundStatus),
    EARLY_REFUNDS: tuple(RefundStatus),
    DISPUTES: tuple(DisputeStatus),
    EARLY_DISPUTES: tuple(DisputeStatus),
}
_HEAD: Final = """\
# What becomes of an input

Whatever comes has exactly one outcome wherever the payment stands; the words are those of
[status.py](../domain/status.py). An arrow is `applied` too, and says where that leads;
`applied` alone changes something else, or confirms what is known. `not met`: no history brings it
about.

This page is worked out from the states that the model checker reaches (`make model`), and the tests
hold `decide` to it. After a change that is meant, make it again and look at what is different:
`.venv/bin/python -m tests.checker outcomes > docs/outcomes.md`
"""


class UnclearOutcomeError(Exception):
    """An input has more than one outcome where a payment stands."""


def page(cells: Cells) -> str:
    """Return the page. Raises UnclearOutcomeError where there is not one outcome."""
    return "\n".join([_HEAD, *(line for title in TITLES for line in _table(title, cells[title]))])


def _table(title: str, rows: Mapping[str, Row]) -> Iterator[str]:
    columns = list(dict.fromkeys(column for row in rows.values() for column in row))
    words = _ROWS.get(title, _PAYMENTS)
    yield f"## {title}\n"
    yield _line(["", *columns])
    yield _line(["---"] * (len(columns) + 1))
    for name in sorted(rows, key=lambda name: (_place(name, words), name)):
        yield _line([name, *(_cell(title, name, column, rows[name]) for column in columns)])
    yield ""


def _place(name: str, words: Sequence[str]) -> int:
    """Return the place of the word a name begins with; the longest that fits."""
    return max((len(word), place) for place, word in enumerate(words) if name.startswith(word))[1]


def _cell(title: str, name: str, column: str, row: Row) -> str:
    met = sorted(row[column]) if column in row else [_NOT_MET]
    if len(met) > 1:
        raise UnclearOutcomeError(
            f"{title}: {column!r} has the outcomes {' and '.join(met)} at {name!r}. If payments "
            "that stand there differ, outcome_table/standing.py has to tell them apart"
        )
    return met[0]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
