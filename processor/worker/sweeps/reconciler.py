"""Fetches events that no webhook delivered, and expires payments. One worker leads at a time.

Its sweeps are a table. Each one runs on its own clock, in its own loop: a slow or failing one
delays no other. Their results are published to the topics and are deduplicated like all other
records.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from types import MappingProxyType
from typing import Final

from ports.account_check import AccountCheck
from ports.failures import RETRYABLE_IN_SWEEP
from ports.notices import GapFinder
from ports.provider import ProviderClient, Translator
from ports.stores import NoticeStore, RecordSender, SweepStore
from processor.worker.loops import Loop
from processor.worker.metrics import WorkerMetrics
from processor.worker.sweeps.access import Access
from processor.worker.sweeps.backlog import BacklogSweep
from processor.worker.sweeps.endpoints import EndpointSweep
from processor.worker.sweeps.event_list import EventListSweep
from processor.worker.sweeps.expiry import ExpirySweep
from processor.worker.sweeps.leadership import Leadership
from processor.worker.sweeps.notices import NoticeSweep
from processor.worker.sweeps.objects import ObjectSweep, PlanSweep
from processor.worker.sweeps.part_list import CHECK_PARTS_S, PartListSweep
from processor.worker.sweeps.sweep import FOLLOWING_S, LeadershipLostError, Pace, Sweep, Turn
from runtime.heartbeat import Heartbeat, unmonitored_heartbeat
from runtime.jitter import jittered
from runtime.logs import get_logger
from runtime.tasks import ANY_ERROR, is_cancelled
from schemas.settings import WorkerSettings

log = get_logger(__name__)

#: The name of the loop that takes and keeps the leadership.
LEADER: Final = "leader"


@dataclass(frozen=True, slots=True)
class Notices:
    """What following notices needs."""

    store: NoticeStore
    #: By account.
    finders: Mapping[str, GapFinder]


class Reconciler:
    """The sweeps and their loops.

    Args:
        store: cursors, unfinished payments and the backlog.
        sender: publishes events and commands.
        clients: the adapters, by provider.
        translators: what decodes their objects, by provider.
        settings: intervals, page size and rate.
        metrics: the worker's metrics.
        clock: the current time in UTC.
        leadership: whether this process leads. Only then its sweeps run.
        heartbeat: makes the heartbeat of each loop.
        checks: of the accounts whose providers can be asked about them.
        notices: how notices are followed; None: they are not.
    """

    def __init__(
        self,
        store: SweepStore,
        sender: RecordSender,
        clients: Mapping[str, ProviderClient],
        translators: Mapping[str, Translator],
        settings: WorkerSettings,
        metrics: WorkerMetrics,
        clock: Callable[[], datetime],
        leadership: Leadership,
        heartbeat: Callable[[], Heartbeat] = unmonitored_heartbeat,
        checks: Mapping[str, AccountCheck] = MappingProxyType({}),
        notices: Notices | None = None,
    ) -> None:
        self._store = store
        self._sender = sender
        self._settings = settings
        self._metrics = metrics
        self._clock = clock
        self._leadership = leadership
        self._heartbeat = heartbeat
        self._notices = notices
        self.sweeps: tuple[Sweep, ...] = (
            *self._table(clients, translators),
            *self._of_endpoints(checks),
            *self._of_notices(),
        )

    def _table(
        self, clients: Mapping[str, ProviderClient], translators: Mapping[str, Translator]
    ) -> Iterator[Sweep]:
        """Yields every sweep with its interval, by which it is independent of the others."""
        store, settings, metrics, clock = self._store, self._settings, self._metrics, self._clock
        expiry = ExpirySweep(store, self._sender, settings.reconcile_page, clock)
        backlog = BacklogSweep(store, metrics, clock, clients.keys(), translators)
        beat = self._heartbeat
        yield Sweep("expiry", settings.expiry_every_s, expiry.run, heartbeat=beat())
        yield Sweep("backlog", settings.backlog_every_s, backlog.run, backlog.withdraw, beat())
        plan = PlanSweep(store, settings, clock)
        yield Sweep("looks", settings.objects_every_s, plan.run, heartbeat=beat())
        wishes = self._notices.store if self._notices is not None else None
        for name, client in clients.items():
            pace, translator = Pace(settings.reconcile_per_s), translators.get(name)
            access = Access(name, client, translator, pace, store, self._sender, metrics, clock)
            events = EventListSweep(access, settings.event_list_settles_s, wishes)
            every_s = settings.event_list_every_s
            yield Sweep(f"events/{name}", every_s, events.run, heartbeat=beat())
            objects = ObjectSweep(access, settings)
            every_s = settings.objects_every_s
            yield Sweep(f"objects/{name}", every_s, objects.run, heartbeat=beat())
            every_s = min(settings.parts_every_s, CHECK_PARTS_S)
            for kind in client.part_kinds:
                parts = PartListSweep(access, kind, settings)
                yield Sweep(f"parts/{name}/{kind}", every_s, parts.run, heartbeat=beat())

    def _of_endpoints(self, checks: Mapping[str, AccountCheck]) -> Iterator[Sweep]:
        every_s, beat = self._settings.endpoints_every_s, self._heartbeat
        for name, check in checks.items():
            sweep = EndpointSweep(name, check, self._metrics)
            yield Sweep(f"endpoints/{name}", every_s, sweep.run, sweep.withdraw, beat())

    def _of_notices(self) -> Iterator[Sweep]:
        if self._notices is None:
            return
        settings, finders, store = self._settings, self._notices.finders, self._notices.store
        settles = timedelta(seconds=settings.event_list_settles_s)
        for name in finders:
            sweep = NoticeSweep(name, finders, store, settles, self._metrics, self._clock)
            every_s = settings.notices_every_s
            yield Sweep(f"notices/{name}", every_s, sweep.run, heartbeat=self._heartbeat())

    def loops(self) -> dict[str, Loop]:
        """Returns the loop of each sweep, by name."""
        return {s.name: Loop(partial(self.repeat, s), s.heartbeat) for s in self.sweeps}

    async def repeat(self, sweep: Sweep) -> None:
        """Runs a sweep on its own clock until cancelled, while this process leads."""
        failures = 0
        while True:
            if self._leadership.is_held:
                failures = 0 if await self.run(sweep) else failures + 1
                wait_s = sweep.wait_s(failures)
            else:
                sweep.withdraw()
                wait_s = min(sweep.every_s, FOLLOWING_S)
            rest_s = jittered(wait_s)
            sweep.heartbeat.beat(rest_s)
            await asyncio.sleep(rest_s)

    async def run(self, sweep: Sweep) -> bool:
        """Runs a sweep once. Returns whether it succeeded; a failure is counted and logged."""
        try:
            await sweep.run(Turn(self._leadership, sweep.heartbeat))
        except LeadershipLostError:
            log.info("sweep.left_to_another", sweep=sweep.name)
            return False
        except RETRYABLE_IN_SWEEP as error:
            log.warning("sweep.failed", sweep=sweep.name, error=repr(error))
        except ANY_ERROR:  # unforeseen: it is tried again
            if is_cancelled():
                raise
            log.exception("sweep.failed", sweep=sweep.name)
        else:
            self._metrics.sweep_completed.labels(sweep.name).set(self._clock().timestamp())
            return True
        self._metrics.loop_errors.labels(sweep.name).inc()
        sweep.withdraw()
        return False
