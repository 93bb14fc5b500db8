"""Every order, every repetition and every crash of every history, by visiting every state."""

import pytest

from domain.status import Outcome
from domain.transitions import TRANSITIONS
from tests.checker.conftest import Searching
from tests.checker.histories import ALL_HISTORIES
from tests.checker.report import row_of
from tests.domain.histories.history import History

every_history = pytest.mark.parametrize(
    "history", ALL_HISTORIES, ids=[history.name for history in ALL_HISTORIES]
)


@every_history
def test_every_state_and_every_end_is_the_oracles(history: History, searched: Searching) -> None:
    """The search compares every state with the oracle; it reaches exactly the history's ends."""
    found = searched(history)
    assert len(found.ends) == len(history.ends)


def test_every_transition_of_the_table_is_reached(searched: Searching) -> None:
    """The histories cover the whole state machine."""
    met = {move for h in ALL_HISTORIES for move in searched(h).transitions}
    assert met == {(None, "CREATED"), *((edge.source, edge.target) for edge in TRANSITIONS)}


def test_every_outcome_of_an_input_is_reached(searched: Searching) -> None:
    """The exceptions are not decided here: a duplicate record, and a failure of our own code."""
    met = {outcome for history in ALL_HISTORIES for outcome in searched(history).outcomes}
    assert met == set(Outcome) - {Outcome.DUPLICATE, Outcome.QUARANTINED}


def test_far_more_orders_are_covered_than_states_are_visited(searched: Searching) -> None:
    """Many orders lead to the same state, and each state is visited once."""
    rows = [row_of(searched(history)) for history in ALL_HISTORIES]
    assert len({row.name for row in rows}) == len(ALL_HISTORIES)
    assert sum(row.states for row in rows) < 10_000
    assert sum(row.orders for row in rows) > 10**6
    assert sum(row.repeated for row in rows) > 10**50
