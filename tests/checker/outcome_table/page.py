"""The outcomes as a page, ``docs/outcomes.md``: a change of behaviour shows as a change there."""

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
    TOTALS,
    Cells,
    Row,
)
from tests.checker.outcome_table.states import NOT_HERE

PAGE: Final = Path(__file__).parents[3] / "docs" / "outcomes.md"
_NOT_MET: Final = "not met"
_CALLS: Final = (NOT_HERE, "never", "create", "confirm", "capture", "cancel", "refund")
_PAYMENTS: Final = (NOT_HERE, *Status)
#: By title: the words that rows begin with, in order; other tables have rows of payments.
_ROWS: Final[Mapping[str, Sequence[str]]] = {
    RESULTS: _CALLS,
    REFUNDS: tuple(RefundStatus),
    EARLY_REFUNDS: tuple(RefundStatus),
    TOTALS: ("a total",),
    DISPUTES: tuple(DisputeStatus),
    EARLY_DISPUTES: tuple(DisputeStatus),
}
_HEAD: Final = """\
# What becomes of an input

Every input has exactly one outcome in every state of the payment. The outcomes are those of
[status.py](../domain/status.py). An arrow means `applied`, with the new status; `applied` alone
changes something else, or confirms what is known. `not met`: no history leads there. A cancel has
the cause that its call key names, if that call was requested; otherwise somebody else cancelled.

This page is generated from the states that the model checker reaches (`make model`), and the tests
compare `decide` with it. After an intended change, generate it again and review the difference:
`.venv/bin/python -m tests.checker outcomes > docs/outcomes.md`
"""


class UnclearOutcomeError(Exception):
    """An input has more than one outcome in one row."""


def page(cells: Cells) -> str:
    """Return the page. Raises UnclearOutcomeError if a cell has more than one outcome."""
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
    """Return the place of the longest word that the name begins with."""
    return max((len(word), place) for place, word in enumerate(words) if name.startswith(word))[1]


def _cell(title: str, name: str, column: str, row: Row) -> str:
    met = sorted(row[column]) if column in row else [_NOT_MET]
    if len(met) > 1:
        raise UnclearOutcomeError(
            f"{title}: {column!r} has the outcomes {' and '.join(met)} at {name!r}. If payments "
            "of this row differ, outcome_table/states.py must give them different rows"
        )
    return met[0]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
