"""A consumer that hands records on without brokers or Faust."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, Final, cast

from faust.types import TP

from processor.stream.faust_internals.consumer import StrictConsumer

HERE: Final = TP("payment-commands", 0)
CHANGES: Final = TP("payments-processor-dedup-changelog", 0)
OFFSET_KEY: Final = b"offset"


class EndedError(Exception):
    """The process would have ended."""


class Handing(StrictConsumer):
    """A consumer without brokers or Faust, which records what it hands on."""

    def __init__(self, database: Any = None) -> None:
        self.handed: list[tuple[str, int]] = []
        self.assigned = {HERE, CHANGES}
        stored = SimpleNamespace(offset_key=OFFSET_KEY, _db_for_partition=lambda _: database)
        self.app = cast("Any", SimpleNamespace(
            rebalancing=False,
            consumer_generation_id=1,
            topics=SimpleNamespace(acks_enabled_for=lambda topic: topic == HERE.topic),
            tables=SimpleNamespace(_changelogs={CHANGES.topic: SimpleNamespace(data=stored)}),
        ))  # fmt: skip
        self.scheduler = cast("Any", SimpleNamespace(iterate=_one_by_one))
        self._buffered_partitions = set()
        self._read_offset = defaultdict(lambda: None)
        self.callback = cast("Any", self._record)

    async def _record(self, message: Any) -> None:
        self.handed.append(message)

    def _to_message(self, tp: TP, record: Any) -> Any:
        return tp.topic, record.offset

    def assignment(self) -> set[TP]:
        """Returns the partitions that are assigned to this worker."""
        return self.assigned

    def hand_on(self, *places: tuple[TP, int]) -> asyncio.Task[None]:
        """Hands on the records of one fetch."""
        records: defaultdict[TP, list[Any]] = defaultdict(list)
        for tp, offset in places:
            records[tp].append(SimpleNamespace(offset=offset, key=b"k", value=b"v"))
        return asyncio.create_task(self._hand_on(records, set(records)))


def _one_by_one(records: Mapping[TP, Sequence[Any]]) -> Iterator[tuple[TP, Any]]:
    return ((tp, each) for tp, found in records.items() for each in found)
