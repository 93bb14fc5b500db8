"""What is committed, and how records come in.

* Faust takes an offset that it was not handed in order for one that does not exist, and commits
  past it. In a rebalance it is handed records out of order and drops some, so one of them could be
  lost. ``StrictConsumer`` commits only up to the first record that was not acknowledged.
* Faust makes two tasks for each record that comes in, to notice a rebalance while the record waits
  for room. ``StrictConsumer`` makes them once for all records of a fetch.
* Faust hands records on before a rebalance has ended, and then drops them. ``StrictConsumer``
  waits for its end.
* Faust fetches whatever there is, a few records at a time where they come evenly, and each fetch
  takes two threads and the broker. ``StrictConsumer`` lets some gather.
* Faust reads with aiokafka's consumer, which a record can stop. ``StrictConsumer`` reads with one
  that none can (``messaging.kafka_internals``).
* Faust recovers a table record by record. ``StrictConsumer`` takes in a fetch at a time
  (``recovery``).
* Faust reports partitions whose events its monitor has not seen for minutes as hanging, and it sees
  no batches. ``StrictConsumer`` leaves that to the watchdog, which does.
"""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Mapping
from functools import cached_property
from time import monotonic
from typing import Any, Final

from aiokafka.errors import ConsumerStoppedError, KafkaError
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer
from faust.types import TP

from messaging.kafka_internals.consumer import GapReportingConsumer
from messaging.kafka_internals.records import OffsetGap
from ports.errors import TableFilesError
from ports.failures import BROKERS_UNAVAILABLE
from processor.stream.faust_internals.recovery import take_in
from runtime.logs import get_logger
from runtime.restart import restart_process
from schemas.topics import FETCH_BYTES_MAX

log = get_logger(__name__)

#: A record that was not handed over by then, though later ones were, will not be.
MISSED_FOR_S: Final = 10.0
#: Records handed on before others have their turn.
YIELD_EVERY: Final = 200
#: After a fetch of fewer than that, the next one waits for what comes meanwhile.
FEW: Final = 200
GATHER_S: Final = 0.01
#: Seconds between two checks whether a rebalance is over.
REBALANCE_POLL_S: Final = 0.01


class _Thread(AIOKafkaConsumerThread):
    """The thread that fetches."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_bytes = FETCH_BYTES_MAX  # noqa: SLF001  # Faust has no setting for it
        consumer.__class__ = GapReportingConsumer  # made with Faust's settings, and not started yet
        return consumer


class StrictConsumer(Consumer):
    """Commits what was acknowledged without a gap, and nothing after one.

    An offset that holds no record (a marker of a transaction, say) is no gap: the reader of the
    brokers' bytes reports those. What Faust has dropped comes again after a restart only, so the
    process ends for one.
    """

    #: Keeps a task from being collected while it runs.
    _looking: asyncio.Future[None] | None = None

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Reports nothing."""

    def _new_consumer_thread(self) -> AIOKafkaConsumerThread:
        return _Thread(self, loop=self.loop, beacon=self.beacon)

    async def _drain_messages(self, fetcher: Any) -> None:
        """Fetches and hands on until the consumer or the fetcher is stopped."""
        try:
            while not (self.should_stop or fetcher.should_stop):
                records, active = await self._wait_next_records(1.0)
                if self.should_stop or records is None:
                    continue
                is_few = sum(map(len, records.values())) < FEW
                if self.flow_active:
                    handing_on = self._hand_on(records, active or frozenset())
                    await self.wait_first(handing_on, self.suspend_flow.wait())
                else:
                    await self._read_again()
                await asyncio.sleep(GATHER_S if is_few else 0)
        except (ConsumerStoppedError, asyncio.CancelledError):
            if not self.app.should_stop:
                raise

    async def _read_again(self) -> None:
        """A rebalance is under way: what was fetched will have to come again."""
        try:
            await self.perform_seek()
        except KafkaError as error:
            log.warning("fetched.not_read_again", error=repr(error))  # the rebalance seeks anyway

    async def _hand_on(self, records: Mapping[TP, list[Any]], active: Collection[TP]) -> None:
        generation, fetched = self.app.consumer_generation_id, 0
        for tp, record in self.scheduler.iterate(self._taken_in(records, active)):
            if self.app.rebalancing and self.app.topics.acks_enabled_for(tp.topic):
                await self._rebalanced()
            if not self.flow_active or self.app.consumer_generation_id != generation:
                return
            if type(record) is OffsetGap:
                self._absent[tp][record.offset] = record.stop
                self._acked[tp]  # Faust commits those partitions that it finds in there
                continue
            read = self._read_offset[tp]
            if read is None or record.offset >= read:
                await self.callback(self._to_message(tp, record))
                self._read_offset[tp] = record.offset
            fetched += 1
            if not fetched % YIELD_EVERY:
                await asyncio.sleep(0)

    def _taken_in(
        self, records: Mapping[TP, list[Any]], active: Collection[TP]
    ) -> dict[TP, list[Any]]:
        """What is left to hand on once the changes of tables are in them."""
        left: dict[TP, list[Any]] = {}
        if not self.flow_active:
            return left
        for tp, found in records.items():
            if tp not in active and tp not in self._buffered_partitions:
                continue
            if self.app.topics.acks_enabled_for(tp.topic):
                left[tp] = found
            elif tp in self.assignment():  # else its files are another worker's
                try:
                    left[tp] = take_in(self.app, tp, found)
                except TableFilesError:
                    log.exception("table.not_recovered", note="the worker restarts")
                    restart_process()
        return left

    async def _rebalanced(self) -> None:
        """Returns when records may be handed on; another rebalance cancels it.

        At the end of a rebalance Faust goes back to what is committed, and then empties the queues.
        What was handed on between the two would be gone, and be taken for read.
        """
        while self.app.rebalancing:  # noqa: ASYNC110  # Faust has a flag, and no event, for it
            await asyncio.sleep(REBALANCE_POLL_S)

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """See above: a gap is a record that has yet to come again."""

    def _new_offset(self, tp: TP) -> int | None:
        if tp not in self.assignment():
            # a batch in flight when the partition was reassigned: its new owner commits
            for left in (self._acked, self._acked_index, self._missed_since, self._absent):
                left.pop(tp, None)
            return None
        known = self._committed_offset[tp]
        committed = known or 0
        acked, absent, end = self._acked_index[tp], self._absent[tp], committed
        while end in acked or end in absent:
            end = absent.get(end, end + 1)
        # dropped only once it is committed: a commit may be refused in a rebalance
        acked.difference_update([offset for offset in acked if offset < committed])
        for offset in [offset for offset in absent if offset < committed]:
            del absent[offset]
        self._acked[tp].clear()  # Faust's own list of the same offsets
        # nothing is read, and so nothing is missed, in a rebalance and while a table is recovered
        if end > committed or not acked or not self.flow_active:
            self._missed_since.pop(tp, None)
        elif monotonic() - self._missed_since.setdefault(tp, monotonic()) > MISSED_FOR_S:
            del self._missed_since[tp]
            self._looking = asyncio.ensure_future(self._look_for(tp, known, end))
        return end if end > committed else None

    async def _look_for(self, tp: TP, committed: int | None, offset: int) -> None:
        """What was not handed over comes again after a restart, unless the brokers deleted it.

        A restart would then begin at the same offset, and end in the same way, for ever. Where
        nothing was committed yet, nothing says that there was a record.
        """
        try:
            async with asyncio.timeout(MISSED_FOR_S):
                first = (await self.earliest_offsets(tp))[tp]
        except BROKERS_UNAVAILABLE:
            log.exception("record.missed", **_place(tp, offset), note="not looked for")
            first = offset
        if first > offset:
            log.critical("records.deleted", **_place(tp, offset), log_begins_at=first)
            self._absent[tp][offset] = first
        elif committed is not None:
            log.error("record.missed", **_place(tp, offset), note="the worker restarts")
            restart_process()

    @cached_property
    def _missed_since(self) -> dict[TP, float]:
        """Since when a partition's next record is missing, though later ones were acknowledged."""
        return {}

    @cached_property
    def _absent(self) -> defaultdict[TP, dict[int, int]]:
        """Offsets that hold no record, from the first to before the second."""
        return defaultdict(dict)


def _place(tp: TP, offset: int) -> dict[str, Any]:
    """Where a record is, as fields of a log line."""
    return {"topic": tp.topic, "partition": tp.partition, "offset": offset}
