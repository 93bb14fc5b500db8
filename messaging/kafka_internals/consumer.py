"""aiokafka's consumer, reading whatever stands in a topic (``messaging.kafka_internals.records``).

aiokafka makes the parser of a fetch itself. ``TolerantConsumer`` notes the bytes of each answer as
they come in, and puts its own parser in the place of aiokafka's before anything is read with it.
"""

from collections import OrderedDict
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.consumer.fetcher import FetchResult
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.structs import TopicPartition

from messaging.kafka_internals.records import TolerantRecords


class TolerantConsumer(AIOKafkaConsumer):  # type: ignore[misc]  # aiokafka has no types
    """A consumer that no record stops."""

    #: Whether offsets without a record are among the records.
    TELLS_ABSENT = False

    @property
    def _fetcher(self) -> Any:
        """What aiokafka keeps under this name."""
        return self.__dict__.get("_fetcher")

    @_fetcher.setter
    def _fetcher(self, fetcher: Any) -> None:
        if fetcher is not None:
            raw: dict[TopicPartition, bytes] = {}
            fetcher._client = _Noting(fetcher._client, raw)  # noqa: SLF001  # see above
            fetcher._records = _Results(raw, tells_absent=self.TELLS_ABSENT)  # noqa: SLF001  # see above
        self.__dict__["_fetcher"] = fetcher


class GapReportingConsumer(TolerantConsumer):
    """One that reports offsets without a record too."""

    TELLS_ABSENT = True


class _Noting:
    """The client of a fetcher; notes the bytes of each partition's part of an answer."""

    def __init__(self, client: Any, raw: dict[TopicPartition, bytes]) -> None:
        self._client = client
        self._raw = raw

    async def send(self, node_id: Any, request: Any, **named: Any) -> Any:
        answer = await self._client.send(node_id, request, **named)
        if isinstance(request, FetchRequest):
            for topic, partitions in answer.topics:
                for partition, *_, records in partitions:
                    self._raw[TopicPartition(topic, partition)] = records
        return answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


class _Results(OrderedDict[TopicPartition, Any]):
    """What was fetched and is not read yet, by partition."""

    def __init__(self, raw: dict[TopicPartition, bytes], *, tells_absent: bool) -> None:
        super().__init__()
        self._raw = raw
        self._tells_absent = tells_absent
        self._tries: dict[TopicPartition, tuple[int, int]] = {}

    def __setitem__(self, tp: TopicPartition, result: Any) -> None:
        raw = self._raw.pop(tp, None)
        if type(result) is FetchResult and raw is not None:
            result._partition_records = TolerantRecords(  # noqa: SLF001  # see above
                result._partition_records,  # noqa: SLF001  # see above
                raw,
                result._assignment.state_value(tp).highwater,  # noqa: SLF001  # see above
                self._tries,
                tells_absent=self._tells_absent,
            )
        super().__setitem__(tp, result)
