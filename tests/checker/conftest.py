"""Each history is searched once a session; all tests share the result."""

from collections.abc import Callable

import pytest

from tests.checker.search import Found, search
from tests.domain.histories.history import History

Searching = Callable[[History], Found]


@pytest.fixture(scope="session")
def searched() -> Searching:
    """What the search of a history found."""
    known: dict[str, Found] = {}

    def found(history: History) -> Found:
        if history.name not in known:
            known[history.name] = search(history)
        return known[history.name]

    return found
