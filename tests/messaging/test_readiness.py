"""Whether records can be published now, as the readiness probe asks it."""

import asyncio
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError

from messaging import producer as module
from messaging.instances import Instance, ProducerConfig
from messaging.producer import Producer
from ports.errors import TopicsNotReadyError

pytestmark = pytest.mark.anyio


async def reason(error: BaseException | None) -> str | None:
    """Why a connected producer can't publish, if the check of its topics ends like this."""

    async def check(_producer: AIOKafkaProducer) -> None:
        if isinstance(error, TimeoutError):
            await asyncio.Event().wait()
        if error is not None:
            raise error

    producer = Producer(ProducerConfig("127.0.0.1:1", "test", 1000), check=check)
    connected: Any = object()
    producer._instances.current = Instance(connected)
    return await producer.unavailable_reason()


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (None, None),
        (TimeoutError(), "the brokers do not respond"),
        (OSError("refused"), "refused"),
        (TopicsNotReadyError("payment-commands is missing"), "payment-commands is missing"),
    ],
)
async def test_the_reason_is_never_empty(
    monkeypatch: pytest.MonkeyPatch, error: BaseException | None, expected: str | None
) -> None:
    """Brokers that do not answer in time make the ingress unready."""
    monkeypatch.setattr(module, "PROBE_TIMEOUT_S", 0.05)
    assert await reason(error) == expected


async def test_an_error_of_the_brokers_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever its text."""
    monkeypatch.setattr(module, "PROBE_TIMEOUT_S", 0.05)
    assert await reason(KafkaConnectionError("lost"))
