"""aiokafka's consumer, made able to read any content (``messaging.kafka_internals.records``).

aiokafka creates the parser of a fetch itself. ``TolerantConsumer`` records the bytes of each fetch
response, and replaces aiokafka's parser with its own before anything is parsed.
"""

from collections import OrderedDict
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.consumer.fetcher import FetchResult
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.structs import TopicPartition

from messaging.kafka_internals.records import TolerantRecords
from messaging.kafka_internals.spans import SpanRecords


class TolerantConsumer(AIOKafkaConsumer):  # type: ignore[misc]  # aiokafka has no types
    """A consumer that no record and no batch can stop."""

    #: Whether an ``OffsetGap`` is returned for offsets without a record.
    REPORTS_GAPS = False
    PARSER: type[TolerantRecords] = TolerantRecords

    @property
    def _fetcher(self) -> Any:
        """Aiokafka's attribute of this name."""
        return self.__dict__.get("_fetcher")

    @_fetcher.setter
    def _fetcher(self, fetcher: Any) -> None:
        if fetcher is not None:
            raw: dict[TopicPartition, bytes] = {}
            fetcher._client = _RecordingClient(fetcher._client, raw)  # noqa: SLF001  # see above
            fetcher._records = _FetchedResults(  # noqa: SLF001  # see above
                raw, self.PARSER, reports_gaps=self.REPORTS_GAPS
            )
        self.__dict__["_fetcher"] = fetcher


class GapReportingConsumer(TolerantConsumer):
    """Returns an ``OffsetGap`` for offsets without a record."""

    REPORTS_GAPS = True


class SpanConsumer(TolerantConsumer):
    """Returns a ``Span`` for most batches, unparsed. All else is as from ``TolerantConsumer``."""

    PARSER = SpanRecords


class _RecordingClient:
    """A fetcher's client that records the bytes of each partition in a fetch response."""

    def __init__(self, client: Any, raw: dict[TopicPartition, bytes]) -> None:
        self._client = client
        self._raw = raw

    async def send(self, node_id: Any, request: Any, **named: Any) -> Any:
        response = await self._client.send(node_id, request, **named)
        if isinstance(request, FetchRequest):
            for topic, partitions in response.topics:
                for partition, *_, records in partitions:
                    self._raw[TopicPartition(topic, partition)] = records
        return response

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


class _FetchedResults(OrderedDict[TopicPartition, Any]):
    """Fetched results that are not consumed yet, by partition. Replaces their parsers."""

    def __init__(
        self,
        raw: dict[TopicPartition, bytes],
        parser: type[TolerantRecords],
        *,
        reports_gaps: bool,
    ) -> None:
        super().__init__()
        self._raw = raw
        self._parser = parser
        self._reports_gaps = reports_gaps
        self._attempts: dict[TopicPartition, tuple[int, int]] = {}

    def __setitem__(self, tp: TopicPartition, result: Any) -> None:
        raw = self._raw.pop(tp, None)
        if type(result) is FetchResult and raw is not None:
            result._partition_records = self._parser(  # noqa: SLF001  # see above
                result._partition_records,  # noqa: SLF001  # see above
                raw,
                result._assignment.state_value(tp).highwater,  # noqa: SLF001  # see above
                self._attempts,
                reports_gaps=self._reports_gaps,
            )
        super().__setitem__(tp, result)
