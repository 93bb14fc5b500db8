"""A router for each test."""

import pytest

from postgres.stores import Pool
from tests.support.builders import Clock
from tests.support.programs.routing import Routing


@pytest.fixture
def routing(pool: Pool, clock: Clock) -> Routing:
    """A router with an empty store."""
    return Routing(pool, clock)
