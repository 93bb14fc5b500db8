"""The gauge of a webhook endpoint's problems: what can't be asked is absent, never 0."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final, cast

import pytest
from prometheus_client import CollectorRegistry

from ports.account_check import AccountFinding, Subject, Verdict
from ports.provider import ProviderUnavailableError
from processor.worker.metrics import WorkerMetrics
from processor.worker.sweeps import endpoints
from processor.worker.sweeps.reconciler import Reconciler
from runtime.heartbeat import Heartbeat
from schemas.settings import WorkerSettings
from tests.support.builders import Clock
from tests.support.programs.sweeping import Leads

pytestmark = pytest.mark.anyio

RIGHT: Final = AccountFinding(Subject.ENDPOINT, Verdict.RIGHT, "enabled")
DISABLED: Final = AccountFinding(Subject.ENDPOINT, Verdict.WRONG, "is disabled")
LACKING: Final = AccountFinding(Subject.ENDPOINT, Verdict.WRONG, "lacks types")
NOT_ASKED: Final = AccountFinding(Subject.ENDPOINT, Verdict.NOT_ASKED, "may not")
KEY: Final = AccountFinding(Subject.KEY, Verdict.RIGHT, "works")
OTHERS: Final = AccountFinding(Subject.ACCOUNT, Verdict.WRONG, "of another")


class Check:
    """An ``AccountCheck`` that answers as the test says; None: never."""

    name = "second"

    def __init__(self) -> None:
        self.answer: Sequence[AccountFinding] | Exception | None = ()

    async def findings(self) -> Sequence[AccountFinding]:
        """See ``AccountCheck.findings``."""
        if isinstance(self.answer, Exception):
            raise self.answer
        if self.answer is None:
            await asyncio.Event().wait()
        return self.answer or ()

    async def close(self) -> None:
        """See ``AccountCheck.close``."""


class Asking:
    """A reconciler with the sweep of one account, and nothing else."""

    def __init__(self) -> None:
        self.check, self.registry, self.leadership = Check(), CollectorRegistry(), Leads()
        #: The time by which heartbeats are late, in seconds.
        self.at = 0.0
        none = cast("Any", None)
        self.reconciler = Reconciler(
            none, none, {}, {}, WorkerSettings(), WorkerMetrics(self.registry), Clock(),
            self.leadership, lambda: Heartbeat(lambda: self.at), {"second": self.check},
        )  # fmt: skip
        (self.sweep,) = (s for s in self.reconciler.sweeps if s.name == "endpoints/second")

    async def asked(self, *answer: AccountFinding) -> float | None:
        """The gauge after this answer."""
        self.check.answer = answer
        assert await self.reconciler.run(self.sweep)
        return self.gauge()

    def gauge(self) -> float | None:
        """The gauge; None if it is absent."""
        labels = {"provider": "second"}
        return self.registry.get_sample_value("payments_webhook_endpoint_problems", labels)


@pytest.mark.parametrize(
    ("answer", "problems"),
    [
        ((KEY, RIGHT), 0),
        ((KEY, DISABLED), 1),
        ((KEY, DISABLED, LACKING), 2),
        ((OTHERS, RIGHT), 0),
        ((KEY, NOT_ASKED), None),
        ((OTHERS,), None),
    ],
)
async def test_problems_of_the_endpoint_are_counted(
    answer: Sequence[AccountFinding], problems: float | None
) -> None:
    """Those of the key are none of it. Without an answer about it there is no number."""
    assert await Asking().asked(*answer) == problems


@pytest.mark.parametrize("answer", [ProviderUnavailableError("HTTP 500"), None])
async def test_an_old_number_does_not_stay(
    monkeypatch: pytest.MonkeyPatch, answer: Exception | None
) -> None:
    """An outage, or a provider that does not answer, makes the gauge absent, and is counted."""
    monkeypatch.setattr(endpoints, "CHECK_TIMEOUT_S", 0.01)
    asking = Asking()
    assert await asking.asked(DISABLED) == 1
    asking.check.answer = answer
    assert not await asking.reconciler.run(asking.sweep)
    assert asking.gauge() is None
    assert await asking.asked(RIGHT) == 0
    assert await asking.asked(NOT_ASKED) is None


async def test_only_the_worker_that_leads_has_the_gauge() -> None:
    """Another one asks nothing."""
    asking = Asking()
    assert await asking.asked(DISABLED) == 1
    asking.leadership.is_held = False
    repeating = asyncio.ensure_future(asking.reconciler.repeat(asking.sweep))
    await asyncio.sleep(0.01)
    repeating.cancel()
    await asyncio.gather(repeating, return_exceptions=True)
    assert asking.gauge() is None


async def test_it_is_asked_every_hour() -> None:
    """By a clock of its own."""
    assert Asking().sweep.every_s == WorkerSettings().endpoints_every_s == 3600.0


async def test_a_worker_is_not_restarted_while_a_provider_takes_its_time() -> None:
    """A check may take as long as all its requests; only what takes longer is late."""
    asking = Asking()
    asking.check.answer = None
    running = asyncio.ensure_future(asking.reconciler.run(asking.sweep))
    await asyncio.sleep(0)
    asking.at = endpoints.CHECK_TIMEOUT_S
    assert asking.sweep.heartbeat.silent_s == 0
    asking.at += 1
    assert asking.sweep.heartbeat.silent_s == 1
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
