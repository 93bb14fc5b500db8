"""Looks at the objects of unfinished payments of which no event came for a while."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from structlog.contextvars import bound_contextvars

from ports.failures import ADAPTER_TIMEOUT_S, must_propagate
from ports.provider import (
    FetchedEvent,
    MissingError,
    NotPermittedError,
    ProviderUnavailableError,
)
from ports.stores import SweepStore
from ports.work_items import Look, PlannedLook
from processor.worker.sweeps.access import Access
from processor.worker.sweeps.findings import says_news
from processor.worker.sweeps.part_list import publish_new_parts
from processor.worker.sweeps.schedule import is_over, missed, taken
from processor.worker.sweeps.sweep import Turn, with_timeout_each
from runtime.logs import get_logger
from runtime.tasks import ANY_ERROR, with_timeout
from schemas.settings import WorkerSettings

log = get_logger(__name__)

#: Payments that one statement plans the looks of.
PLANNED_PAGE: Final = 1_000
#: Looks that are taken at a time, so that slow answers don't make them fewer than they may be.
LOOKS_AT_ONCE: Final = 8
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
        access: the provider, the looks, and where goes what was found.
        settings: when a payment is silent, and the size of a page.
    """

    def __init__(self, access: Access, settings: WorkerSettings) -> None:
        self._access = access
        self._first = timedelta(seconds=settings.unfinished_after_s)
        self._page = settings.reconcile_page

    async def run(self, turn: Turn) -> None:
        """Takes every look that is due, the longest due first.

        Each page of looks is noted together, also if the provider fails in its middle. One that is
        not noted, because the process ended, is taken again.
        """
        access = self._access
        while True:
            turn.step()
            looks = await access.store.due_looks(access.provider, access.clock(), self._page)
            await access.store.end_looks([each.payment_id for each in looks if is_over(each)])
            await self._take([each for each in looks if not is_over(each)], turn)
            if len(looks) < self._page:
                return

    async def _take(self, looks: Sequence[PlannedLook], turn: Turn) -> None:
        """Takes looks and notes them. Raises ProviderUnavailableError after some failures."""
        noted: list[Look] = []
        failed = 0
        try:
            for at in range(0, len(looks), LOOKS_AT_ONCE):
                group = looks[at : at + LOOKS_AT_ONCE]
                pausing = self._access.pace.pause(turn, len(group))
                asking = asyncio.gather(
                    pausing, *(self.look_up(look) for look in group), return_exceptions=True
                )
                pause, *ended = await asking
                for look, done in zip(group, ended, strict=True):
                    if not isinstance(done, BaseException):
                        noted.append(done or missed(look, self._first, self._access.clock()))
                        failed = 0 if done is not None else failed + 1
                for error in (pause, *ended):
                    if isinstance(error, BaseException):
                        raise error
                if failed >= FAILURES_MAX:
                    raise ProviderUnavailableError(f"{failed} look-ups in a row failed")
                turn.step()  # the leadership may have been lost meanwhile
        finally:
            await self._access.store.note_looks(noted)

    async def look_up(self, look: PlannedLook) -> Look | None:
        """Publishes the object's present state if it is news. Returns None if that failed.

        An object that the provider does not have, as test data that was deleted, is as one that has
        not changed: the payment stays as it is, and is looked at less and less often.
        """
        access = self._access
        with bound_contextvars(payment_id=look.payment_id, object_id=look.object_id):
            try:
                asked = access.client.retrieve(look.object_id)
                found = await with_timeout(ADAPTER_TIMEOUT_S, asked)
                publishes = self._is_news(look, found)
                if publishes:
                    await access.publish("object", [(found, look.payment_id)])
                if look.wished_at is not None:
                    await self._publish_parts(look.object_id)
            except MissingError as error:
                log.warning("object.missing", error=str(error))
                access.metrics.missing_objects.labels(access.provider).inc()
                return taken(look, None, self._first, access.clock())
            except (ProviderUnavailableError, TimeoutError) as error:
                log.warning("object.lookup_failed", error=repr(error))
            except ANY_ERROR as error:
                if must_propagate(error):
                    raise
                log.exception("object.lookup_failed")
            else:
                event_id = found.webhook.event_id if publishes else None
                return taken(look, event_id, self._first, access.clock())
        access.metrics.loop_errors.labels("object").inc()
        return None

    async def _publish_parts(self, object_id: str) -> None:
        """Publishes what is new about a payment object's parts. Raises as ``parts_of``."""
        access = self._access
        try:
            async for page in with_timeout_each(
                ADAPTER_TIMEOUT_S, access.client.parts_of(object_id)
            ):
                await publish_new_parts(access, "object", page)
        except NotPermittedError as error:  # it would be refused the next time too
            log.warning("parts.not_permitted", error=str(error))

    def _is_news(self, look: PlannedLook, found: FetchedEvent) -> bool:
        """Returns whether to publish what was found: once, and only if it says something new."""
        if found.webhook.event_id == look.found:
            return False
        return says_news(self._access.translator, look.payment, found, self._access.clock())
