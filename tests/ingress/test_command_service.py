"""When a retry gets new times, and when no look-up is tried."""

from datetime import timedelta
from functools import partial
from typing import Final, TypeVar

import pytest

from ingress import command_builders
from ingress.command_service import CommandService, PostgresOperationLookup
from ingress.database import Query
from ingress.errors import BrokerUnavailableError, DatabaseUnavailableError, InvalidFieldsError
from ingress.idempotency import RecentOperations
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


class SilentStore(FakeStore):
    """A store whose look-ups fail; it counts them."""

    def __init__(self) -> None:
        super().__init__()
        self.available = False
        self.attempts = 0

    async def run(self, query: Query[T], deadline_s: float) -> T:
        """See ``Database.run``."""
        self.attempts += 1
        return await super().run(query, deadline_s)


@pytest.mark.parametrize(("later_s", "is_first"), [(59, True), (61, False)])
async def test_a_retry_within_a_minute_is_the_same_command(
    log: Log, metrics: Metrics, *, later_s: float, is_first: bool
) -> None:
    """The first may be in the log. A later retry gets new times, as a new command would."""
    lookup = PostgresOperationLookup(FakeStore(), metrics)
    service = CommandService(log, RecentOperations(), lookup, metrics)
    log.failure = BrokerUnavailableError("not acknowledged in time", sent=True)
    with pytest.raises(BrokerUnavailableError):
        await service.accept(CREATE, BUILD, NOW)
    log.failure = None
    later = NOW + timedelta(seconds=later_s)
    command, replayed = await service.accept(CREATE, BUILD, later)
    assert (command.received_at, replayed) == (NOW if is_first else later, False)


async def test_a_body_that_a_check_refuses_leaves_its_key_free(log: Log, metrics: Metrics) -> None:
    """The client may correct the body and keep the key, though the store knows of no other."""
    lookup = PostgresOperationLookup(FakeStore(), metrics)
    service = CommandService(log, RecentOperations(), lookup, metrics)

    def refuses() -> None:
        raise InvalidFieldsError("the amount is impossible")

    with pytest.raises(InvalidFieldsError):
        await service.accept(CREATE, BUILD, NOW, refuses)
    assert log.records == []
    corrected = BODY.model_copy(update={"amount": 2000})
    operation = command_builders.identify_create("acme", "order-1", corrected)
    build = partial(
        command_builders.create,
        operation,
        corrected,
        provider="stripe",
        expiry=timedelta(hours=1),
    )
    _, replayed = await service.accept(operation, build, NOW)
    assert not replayed
    _, replayed = await service.accept(operation, build, NOW, refuses)
    assert replayed


async def test_lookups_pause_after_a_timeout(metrics: Metrics) -> None:
    """Otherwise every request would wait for its deadline during an outage of Postgres."""
    store = SilentStore()
    lookup = PostgresOperationLookup(store, metrics)
    for _ in range(3):
        with pytest.raises(DatabaseUnavailableError):
            await lookup.first_input(CREATE)
    assert store.attempts == 1
