"""Looks at the objects of unfinished payments of which no event came for a while."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from structlog.contextvars import bound_contextvars

from ports.failures import ADAPTER_TIMEOUT_S, must_propagate
from ports.provider import FetchedEvent, ProviderClient, ProviderUnavailableError, Translator
from ports.stores import RecordSender, SweepStore
from ports.work_items import Look, PlannedLook
from processor.worker.metrics import WorkerMetrics
from processor.worker.sweeps.findings import says_news
from processor.worker.sweeps.schedule import is_over, missed, taken
from processor.worker.sweeps.sweep import Pace, Turn
from processor.worker.webhook_records import routed
from runtime.logs import get_logger
from runtime.tasks import ANY_ERROR, with_timeout
from schemas import headers
from schemas.settings import WorkerSettings

log = get_logger(__name__)

#: Payments that one statement plans the looks of.
PLANNED_PAGE: Final = 1_000
#: After this many failed look-ups in a row, the provider counts as unavailable: the run ends.
FAILURES_MAX: Final = 5


class PlanSweep:
    """Plans a look at each unfinished, silent payment's object, if it changed since the last one.

    Args:
        store: the payments, and the looks.
        settings: when a payment is silent, and the size of a page.
        clock: the current time in UTC.
    """

    def __init__(
        self, store: SweepStore, settings: WorkerSettings, clock: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._silent = timedelta(seconds=settings.unfinished_after_s)
        self._clock = clock

    async def run(self, turn: Turn) -> None:
        """Goes through all of them, a page at a time. It asks no provider."""
        now = self._clock()
        after: str | None = ""
        while after is not None:
            turn.step()
            after = await self._store.plan_looks(now - self._silent, now, after, PLANNED_PAGE)


class ObjectSweep:
    """Publishes what is new about the objects of one provider's unfinished, silent payments.

    Args:
        store: the looks.
        sender: publishes what was found.
        provider: the provider's name.
        client: its adapter.
        translator: decodes what was found, to see whether it is news.
        pace: of the requests to it.
        settings: when a payment is silent, and the size of a page.
        metrics: the worker's metrics.
        clock: the current time in UTC.
    """

    def __init__(
        self,
        store: SweepStore,
        sender: RecordSender,
        provider: str,
        client: ProviderClient,
        translator: Translator | None,
        pace: Pace,
        settings: WorkerSettings,
        metrics: WorkerMetrics,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._sender = sender
        self._provider = provider
        self._client = client
        self._translator = translator
        self._pace = pace
        self._first = timedelta(seconds=settings.unfinished_after_s)
        self._page = settings.reconcile_page
        self._metrics = metrics
        self._clock = clock

    async def run(self, turn: Turn) -> None:
        """Takes every look that is due, the longest due first.

        Each page of looks is noted together, also if the provider fails in its middle. One that is
        not noted, because the process ended, is taken again.
        """
        while True:
            turn.step()
            looks = await self._store.due_looks(self._provider, self._clock(), self._page)
            await self._store.end_looks([each.payment_id for each in looks if is_over(each)])
            await self._take([each for each in looks if not is_over(each)], turn)
            if len(looks) < self._page:
                return

    async def _take(self, looks: Sequence[PlannedLook], turn: Turn) -> None:
        """Takes looks and notes them. Raises ProviderUnavailableError after some failures."""
        noted: list[Look] = []
        failed = 0
        try:
            for look in looks:
                done = await self.look_up(look)
                noted.append(done or missed(look, self._first, self._clock()))
                failed = 0 if done is not None else failed + 1
                if failed == FAILURES_MAX:
                    raise ProviderUnavailableError(f"{failed} look-ups in a row failed")
                await self._pace.pause(turn)
        finally:
            await self._store.note_looks(noted)

    async def look_up(self, look: PlannedLook) -> Look | None:
        """Publishes the object's present state if it is news. Returns None if that failed."""
        with bound_contextvars(payment_id=look.payment_id, object_id=look.object_id):
            try:
                found = await with_timeout(ADAPTER_TIMEOUT_S, self._client.retrieve(look.object_id))
                publishes = self._is_news(look, found)
                if publishes:
                    await self._publish(look, found)
            except (ProviderUnavailableError, TimeoutError) as error:
                log.warning("object.lookup_failed", error=repr(error))
            except ANY_ERROR as error:
                if must_propagate(error):
                    raise
                log.exception("object.lookup_failed")
            else:
                event_id = found.webhook.event_id if publishes else None
                return taken(look, event_id, self._first, self._clock())
        self._metrics.loop_errors.labels("object").inc()
        return None

    def _is_news(self, look: PlannedLook, found: FetchedEvent) -> bool:
        """Returns whether to publish what was found: once, and only if it says something new."""
        if found.webhook.event_id == look.found:
            return False
        return says_news(self._translator, look.payment, found, self._clock())

    async def _publish(self, look: PlannedLook, found: FetchedEvent) -> None:
        named = {
            headers.EVENT_ID: found.webhook.event_id,
            headers.PROVIDER: self._provider,
            headers.RECEIVED_AT: self._clock().isoformat(),
            headers.OBJECT_ID: look.object_id,
        }
        await self._sender.send([routed(look.payment_id, found.body, named)])
        self._metrics.reconciled.labels(self._provider, "object").inc()
