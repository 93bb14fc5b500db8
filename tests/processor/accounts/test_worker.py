"""A worker that does not know an account loses nothing of it, and shows that it waits."""

from typing import Final

import pytest
from prometheus_client import CollectorRegistry

from ports.provider import Acknowledged, Translator
from postgres.stores import Pool, PostgresRouting
from processor.worker.metrics import WorkerMetrics
from processor.worker.router import Router, create_consumer
from processor.worker.sweeps.backlog import BacklogSweep
from processor.worker.sweeps.sweep import Turn
from runtime.heartbeat import unmonitored_heartbeat
from schemas import headers
from schemas.settings import WorkerSettings
from schemas.topics import PROVIDER_WEBHOOKS
from tests.processor.accounts.records import KNOWING, LACKING, SECOND
from tests.support import database
from tests.support.builders import Clock, Log, object_of
from tests.support.fakes import Provider, RecordingSender
from tests.support.programs.calling import Caller
from tests.support.programs.folding import ONE, TWO
from tests.support.programs.routing import MAX_AGE_S, ignored, unrouted, waiting
from tests.support.programs.sweeping import Leads, Sweeps

pytestmark = pytest.mark.anyio

ACKNOWLEDGED: Final = Acknowledged(object_of(TWO))


class Worker:
    """What a worker with these accounts does with the webhooks that name no payment."""

    def __init__(self, pool: Pool, clock: Clock) -> None:
        self.known: dict[str, Translator] = dict(LACKING)
        self.sender, self._registry = RecordingSender(), CollectorRegistry()
        metrics = WorkerMetrics(self._registry)
        settings = WorkerSettings(unrouted_max_age_s=MAX_AGE_S)
        self.router = Router(
            PostgresRouting(pool), self.sender, lambda: create_consumer("nowhere:1"), self.known,
            settings, metrics, clock,
        )  # fmt: skip
        self._backlog = BacklogSweep(
            Sweeps(pool, clock), metrics, clock, self.known.keys(), self.known
        )

    async def shown(self, kind: str) -> float | None:
        """What the gauge has of the second account after a measurement."""
        await self._backlog.run(Turn(Leads(), unmonitored_heartbeat()))
        return self.gauge(kind)

    def gauge(self, kind: str) -> float | None:
        """What the gauge has of the second account."""
        labels = {"provider": SECOND, "kind": kind}
        return self._registry.get_sample_value("payments_unknown_account_rows", labels)

    def withdraw(self) -> None:
        """Ends to lead, or fails to measure."""
        self._backlog.withdraw()


@pytest.fixture
def worker(pool: Pool, clock: Clock) -> Worker:
    """One whose file of accounts has no second account."""
    return Worker(pool, clock)


async def test_an_accepted_payments_call_waits_for_its_account(
    pool: Pool, clock: Clock, worker: Worker
) -> None:
    """The other accounts' calls are made. It is made by the worker that has the account."""
    log = Log()
    await database.process(pool, log.create(ONE), log.create(TWO, provider=SECOND))
    lacking = Caller(pool, clock)
    lacking.provider.responses = [Acknowledged(object_of(ONE))]
    assert await lacking.round() == 1
    clock.forward(30 * 86_400)
    assert await lacking.round() == 0
    assert await worker.shown("call") == 1
    second = Provider(name=SECOND, responses=[ACKNOWLEDGED])
    knowing = Caller(pool, clock, others=[second])
    assert await knowing.round() == 1
    assert second.keys == [f"{TWO}:create"]
    assert await worker.shown("call") is None


async def test_a_call_that_was_tried_before_waits_too(pool: Pool, worker: Worker) -> None:
    """By a worker that had the account and was replaced by one with an older file."""
    await database.process(pool, Log().create(TWO, provider=SECOND))
    await database.rows(pool, "update provider_calls set attempts = 1 returning 1")
    assert await worker.shown("call") == 1
    worker.withdraw()
    assert worker.gauge("call") is None


async def test_a_webhook_that_names_no_payment_waits_for_its_account_at_any_age(
    pool: Pool, clock: Clock, worker: Worker
) -> None:
    """Nobody has read it, so it must not end. It holds up no other that does."""
    await worker.router.route([unrouted(ONE, **{headers.PROVIDER: SECOND}), unrouted(TWO, "evt_2")])
    clock.forward(100 * MAX_AGE_S)
    await worker.router.route_waiting()
    assert [event_id for event_id, *_ in await ignored(pool)] == ["evt_2"]
    assert len(await waiting(pool)) == 1
    assert await worker.shown("webhook") == 1
    worker.known.update(KNOWING)
    await worker.router.route_waiting()
    assert (await waiting(pool), worker.sender.records) == ([], [])
    assert len(await ignored(pool)) == 2
    assert await worker.shown("webhook") is None


async def test_its_payment_gets_it_before_the_router_knows_the_account(
    pool: Pool, worker: Worker
) -> None:
    """Whose object it is about is known without reading it."""
    log = Log()
    await database.process(pool, log.create(TWO, provider=SECOND), log.result(TWO, provider=SECOND))
    await worker.router.route([unrouted(TWO, **{headers.PROVIDER: SECOND})])
    (sent,) = worker.sender.records
    assert (sent.topic, sent.key) == (PROVIDER_WEBHOOKS, TWO.encode())
