"""Each account has sweeps of its own: what one has read, or waits for, is none of another's."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from ports.provider import FetchedEvent, Webhook
from postgres.stores import Pool
from processor.worker.metrics import WorkerMetrics
from processor.worker.sweeps.reconciler import Reconciler
from schemas import headers
from schemas.settings import WorkerSettings
from tests.processor.accounts.records import KNOWING, SECOND, at_second, process
from tests.support.builders import NOW, Clock, Log, event_body, object_of
from tests.support.fakes import Provider, RecordingSender
from tests.support.programs.folding import ONE
from tests.support.programs.sweeping import SILENT_S, Leads, Sweeps

pytestmark = pytest.mark.anyio


class Worker:
    """A worker that leads, with two accounts."""

    def __init__(self, pool: Pool, clock: Clock, **settings: Any) -> None:
        self.accounts = {name: Provider(name=name) for name in ("stripe", SECOND)}
        self.sender = RecordingSender()
        own = {"unfinished_after_s": SILENT_S, "reconcile_per_s": 10_000.0}
        self._reconciler = Reconciler(
            Sweeps(pool, clock), self.sender, self.accounts, KNOWING,
            WorkerSettings(**(own | settings)), WorkerMetrics(CollectorRegistry()), clock, Leads(),
        )  # fmt: skip

    async def run(self, *names: str) -> None:
        """Runs these sweeps once."""
        for sweep in self._reconciler.sweeps:
            if sweep.name in names:
                assert await self._reconciler.run(sweep)


@pytest.fixture
def worker(pool: Pool, clock: Clock) -> Worker:
    """One that waits for nothing."""
    return Worker(pool, clock)


def found(account: str, event_id: str, status: str = "succeeded") -> FetchedEvent:
    """An event that reports this status of the payment, as the account's client has it."""
    body = event_body(ONE, status, event_id) | {"account": "acct_2", "request": None}
    webhook = Webhook(f"{account}:{event_id}", None, object_of(ONE), account)
    return FetchedEvent(webhook, json.dumps(body).encode(), NOW - timedelta(days=1))


async def test_each_accounts_lists_are_read_to_their_own_ends(worker: Worker) -> None:
    """A list that was just read in one account is read in the other, too."""
    for account in worker.accounts:
        await worker.run(f"parts/{account}/refunds", f"events/{account}")
    for provider in worker.accounts.values():
        assert (len(provider.parts_asked), len(provider.cursors)) == (1, 1)


async def test_each_accounts_event_list_goes_on_after_its_own_events(worker: Worker) -> None:
    """The other account has no event of that ID."""
    for account, provider in worker.accounts.items():
        provider.pages = [[found(account, f"evt_of_{account}")]]
        await worker.run(f"events/{account}")
        provider.pages = []
    for account, provider in worker.accounts.items():
        await worker.run(f"events/{account}")
        assert provider.cursors == [None, f"{account}:evt_of_{account}"]


async def test_what_a_look_finds_is_read_as_its_account_does(
    pool: Pool, clock: Clock, worker: Worker
) -> None:
    """Any other would take it for another account's, and record it although it is known."""
    log = Log()
    known = at_second(log.webhook(ONE, "processing"))
    await process(pool, KNOWING, log.create(ONE, provider=SECOND), known)
    looked_at = worker.accounts[SECOND].objects
    for status, records in (("processing", 0), ("succeeded", 1)):
        clock.forward(10 * SILENT_S)
        looked_at[object_of(ONE)] = found(SECOND, f"look_{status}", status)
        await worker.run("looks", f"objects/{SECOND}")
        assert len(worker.sender.records) == records
    (sent,) = worker.sender.records
    named = headers.as_text(sent.headers)
    assert (sent.key, named[headers.PROVIDER]) == (ONE.encode(), SECOND)
    assert worker.accounts["stripe"].retrieved == []


async def test_one_accounts_pace_slows_no_other(
    pool: Pool, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each may be asked as often as the settings say."""
    worker, rested = Worker(pool, clock, reconcile_per_s=0.1), list[float]()
    sleep = asyncio.sleep

    async def noted(seconds: float) -> None:
        rested.append(seconds)
        await sleep(0)

    monkeypatch.setattr("processor.worker.sweeps.sweep.asyncio.sleep", noted)
    for account in worker.accounts:
        worker.accounts[account].pages = [[found(account, "evt_1")]]
        await worker.run(f"events/{account}")
    assert rested == pytest.approx([10.0, 10.0], abs=1.0)
