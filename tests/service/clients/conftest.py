"""No payment of these tests is left open."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.service.examples.ending import end_all
from tests.service.stack import Stack


@pytest.fixture(scope="module", autouse=True)
def _ends_payments(stack: Stack) -> Iterator[None]:
    yield
    asyncio.run(end_all(stack))
