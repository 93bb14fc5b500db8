"""Follows a provider's notices: fetches what each says, and makes the right look due.

What a provider never made an event of, no webhook brings and no list has. So the object's payment
is looked at, with its refunds, disputes and fraud warnings, at the next run of the object sweep.
The event list is read again too, from when the provider had difficulties on: what it listed later
than it ever should is found so.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final

from structlog.contextvars import bound_contextvars

from ports.failures import ADAPTER_TIMEOUT_S, must_propagate
from ports.notices import Gap, GapFinder, NoGap
from ports.provider import MissingError, ProviderUnavailableError
from ports.stores import NoticeStore
from ports.work_items import DueNotice, Followed
from processor.worker.metrics import WorkerMetrics
from processor.worker.sweeps.sweep import Turn
from runtime.jitter import jittered
from runtime.logs import get_logger
from runtime.tasks import ANY_ERROR, with_timeout

log = get_logger(__name__)

PAGE: Final = 100
#: The wait before the second try; each further one is twice as long, up to the longest.
FIRST_WAIT: Final = timedelta(seconds=2)
LONGEST_WAIT: Final = timedelta(hours=1)
#: Tries until a notice is given up: about a day.
TRIES_MAX: Final = 34
#: No event list reaches further back.
LISTED_FOR: Final = timedelta(days=30)


class NoticeSweep:
    """Follows the notices of one account, each once.

    Args:
        provider: the account's name.
        finders: of all accounts: a notice may be about an account behind this one.
        store: the notices, and what is made due.
        settles: how late an event list may be, without any difficulties.
        metrics: the worker's metrics.
        clock: the current time in UTC.
    """

    def __init__(
        self,
        provider: str,
        finders: Mapping[str, GapFinder],
        store: NoticeStore,
        settles: timedelta,
        metrics: WorkerMetrics,
        clock: Callable[[], datetime],
    ) -> None:
        self._provider = provider
        self._finders = finders
        self._store = store
        self._settles = settles
        self._metrics = metrics
        self._clock = clock

    async def run(self, turn: Turn) -> None:
        """Follows every notice that is due, the longest due first."""
        while True:
            turn.step()
            due = await self._store.due_notices(self._provider, self._clock(), PAGE)
            for notice in due:
                with bound_contextvars(event_id=notice.event_id):
                    await self._follow(notice)
                turn.step()
            if len(due) < PAGE:
                return

    async def _follow(self, notice: DueNotice) -> None:
        """Ends a notice, or makes it due again. Raises StoreUnavailableError."""
        followed: Followed | None
        try:
            followed = await self._followed(notice)
        except (ProviderUnavailableError, TimeoutError) as error:
            log.warning("notice.not_followed", error=repr(error))
            followed = await self._failed(notice, repr(error))
        except ANY_ERROR as error:
            if must_propagate(error):
                raise
            log.exception("notice.not_followed")
            followed = await self._failed(notice, repr(error))
        if followed is not None:
            outcome = await self._store.end_notice(followed, self._clock())
            log.info("notice.followed", outcome=outcome, reason=followed.reason)
            self._metrics.notices.labels(self._provider, outcome).inc()

    async def _followed(self, notice: DueNotice) -> Followed:
        """Returns what a notice asks for. Raises ProviderUnavailableError, TimeoutError."""
        finder = self._finders[self._provider]
        match await with_timeout(ADAPTER_TIMEOUT_S, finder.gap(notice.event_id, notice.context)):
            case NoGap(why, is_foreign):
                if is_foreign:
                    self._metrics.foreign.labels(self._provider).inc()
                return Followed(notice.event_id, why)
            case Gap() as gap:
                return await self._look_for(notice, gap)

    async def _look_for(self, notice: DueNotice, gap: Gap) -> Followed:
        owner = self._finders.get(gap.provider)
        if owner is None:
            raise ProviderUnavailableError(f"there is no client of {gap.provider} yet")
        what = f"no event was made of {gap.kind} {gap.object_id}"
        try:
            found = await with_timeout(ADAPTER_TIMEOUT_S, owner.payment_object(gap))
        except MissingError:
            return Followed(notice.event_id, f"{what}, which the provider does not have any more")
        if found is None:
            return Followed(notice.event_id, f"{what}, which belongs to no payment")
        since = self._start(gap.since, self._clock())
        return Followed(notice.event_id, what, gap.provider, found, since)

    def _start(self, since: datetime | None, now: datetime) -> datetime | None:
        """Returns from when on the event list is read again: what was late by then too."""
        if since is None:
            return None
        reach = now - LISTED_FOR
        return reach if since - reach < self._settles else since - self._settles

    async def _failed(self, notice: DueNotice, error: str) -> Followed | None:
        """Makes a notice due again. Returns how it ends, if that was its last try."""
        tries = notice.attempts + 1
        self._metrics.loop_errors.labels("notices").inc()
        if tries >= TRIES_MAX:
            why = f"its content could not be had {tries} times: {error}"
            return Followed(notice.event_id, why, is_given_up=True)
        wait_s = min(FIRST_WAIT * 2 ** min(notice.attempts, 30), LONGEST_WAIT).total_seconds()
        at = self._clock() + timedelta(seconds=jittered(wait_s))
        await self._store.retry_notice(notice.event_id, at, error)
        return None
