"""However the stream ends, it closes what it has opened, within seconds."""

import asyncio
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, cast

import pytest
from prometheus_client import CollectorRegistry

from messaging.sender import Sender
from processor.stream.app import StreamParts, create_app, wire
from processor.stream.metrics import StreamMetrics
from runtime import cleanup
from runtime.health import Health
from schemas.settings import DatabaseSettings, KafkaSettings, StreamSettings
from tests.support.builders import Clock

pytestmark = pytest.mark.anyio

KAFKA: Final = KafkaSettings(kafka_bootstrap="127.0.0.1:1", partitions=4)


class Opened:
    """A worker without brokers, whose producers record that they were closed."""

    def __init__(self, data_dir: Path, database_url: str, *, hangs: bool = False) -> None:
        self.closed: list[str] = []
        self.hangs = hangs
        database = DatabaseSettings(database_url=cast("Any", database_url))
        stream = StreamSettings(data_dir=data_dir)
        self.app = create_app(KAFKA, stream)
        parts = StreamParts(sender=self._sender, publisher=lambda *_: cast("Any", self))
        metrics = StreamMetrics(CollectorRegistry())
        wire(self.app, KAFKA, database, stream, {}, metrics, Health(), Clock(), parts)

    def _sender(self, bootstrap: str, client_id: str, deadline_s: float) -> Sender:
        sender = Sender(bootstrap, client_id, deadline_s)
        original_close = sender.close

        async def close() -> None:
            if self.hangs:
                await asyncio.Event().wait()
            await original_close()
            self.closed.append("dead letters")

        vars(sender)["close"] = close
        return sender

    async def assign(self, partitions: Iterable[int]) -> None:
        """See ``StatePublisher.assign``: without partitions it closes its producers."""
        assert not list(partitions)
        self.closed.append("state")


@pytest.mark.parametrize("crashed", [False, True])
async def test_the_streams_producers_are_closed(tmp_path: Path, *, crashed: bool) -> None:
    """Those of dead letters and of versions, each once, after a stop and after a crash."""
    opened = Opened(tmp_path, "postgresql://nobody@127.0.0.1:1/none")
    if crashed:
        await opened.app.crash(RuntimeError("planted"))
    await opened.app.stop()
    assert opened.closed == ["dead letters", "state"]
    await opened.app.stop()
    assert opened.closed == ["dead letters", "state"]


async def test_a_producer_that_hangs_keeps_no_other_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is abandoned, and the worker ends."""
    monkeypatch.setattr(cleanup, "CLOSE_TIMEOUT_S", 0.05)
    opened = Opened(tmp_path, "postgresql://nobody@127.0.0.1:1/none", hangs=True)
    began = time.monotonic()
    await opened.app.stop()
    assert time.monotonic() - began < 2.0
    assert opened.closed == ["state"]
