"""When an operation counts as new again, and when the store is asked at all."""

from datetime import timedelta
from functools import partial
from typing import Final, TypeVar

import pytest

from ingress import command_builders
from ingress.command_service import CommandService, StoredOperations
from ingress.database import Query
from ingress.errors import BrokerUnavailableError, DatabaseUnavailableError
from ingress.idempotency import OperationMemory
from ingress.metrics import Metrics
from schemas.http import CreateRequest
from tests.ingress.harness import NOW, PAYMENT, FakeStore, Log

pytestmark = pytest.mark.anyio

T = TypeVar("T")
BODY: Final = CreateRequest.model_validate(PAYMENT)
CREATE: Final = command_builders.identify_create("acme", "order-1", BODY)
BUILD: Final = partial(
    command_builders.create, CREATE, BODY, provider="stripe", expiry=timedelta(hours=1)
)


class Asked(FakeStore):
    """A store that does not answer; how often it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.answers = False
        self.asked = 0

    async def run(self, query: Query[T], deadline_s: float) -> T:
        """See ``Database.run``."""
        self.asked += 1
        return await super().run(query, deadline_s)


@pytest.mark.parametrize(("later_s", "is_first"), [(59, True), (61, False)])
async def test_a_retry_within_a_minute_is_the_same_command(
    log: Log, metrics: Metrics, *, later_s: float, is_first: bool
) -> None:
    """The first may be in the log. Much later the times would be a surprise: they are new ones."""
    intake = CommandService(log, OperationMemory(), StoredOperations(FakeStore(), metrics), metrics)
    log.failure = BrokerUnavailableError("not acknowledged in time", sent=True)
    with pytest.raises(BrokerUnavailableError):
        await intake.accept(CREATE, BUILD, NOW)
    log.failure = None
    later = NOW + timedelta(seconds=later_s)
    command, replayed = await intake.accept(CREATE, BUILD, later)
    assert (command.received_at, replayed) == (NOW if is_first else later, False)


async def test_a_store_that_did_not_answer_is_left_alone_for_a_moment(metrics: Metrics) -> None:
    """Else every request would wait for its deadline, as long as Postgres is away."""
    store = Asked()
    stored = StoredOperations(store, metrics)
    for _ in range(3):
        with pytest.raises(DatabaseUnavailableError):
            await stored.first_input(CREATE)
    assert store.asked == 1
