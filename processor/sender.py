"""The producer of everything but ``payment-state``: dead letters, results, routed webhooks."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from processor.errors import PublishError
from schemas.headers import Headers
from schemas.topics import DEAD_LETTER_BYTES_MAX


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A record to send."""

    topic: str
    key: bytes | None
    value: bytes
    headers: Headers


class Sender:
    """An idempotent producer that reports delivery or raises; it never loses a record silently."""

    def __init__(self, bootstrap: str, client_id: str, deadline_s: float) -> None:
        self._bootstrap = bootstrap
        self._client_id = client_id
        self._deadline_s = deadline_s
        self._producer: AIOKafkaProducer | None = None

    async def send(self, records: Sequence[Outgoing]) -> None:
        """Sends and awaits every record. Raises PublishError; then their fate is unknown."""
        try:
            async with asyncio.timeout(self._deadline_s):
                producer = await self._started()
                sent = [
                    await producer.send(r.topic, key=r.key, value=r.value, headers=list(r.headers))
                    for r in records
                ]
                await asyncio.gather(*sent)
        except (KafkaError, TimeoutError) as error:
            await self.close()  # an idempotent producer that failed may never recover by itself
            raise PublishError(f"{self._client_id}: {error!r}") from error

    async def _started(self) -> AIOKafkaProducer:
        if self._producer is None:
            self._producer = AIOKafkaProducer(
                bootstrap_servers=self._bootstrap,
                client_id=self._client_id,
                enable_idempotence=True,
                acks="all",
                linger_ms=2,
                max_batch_size=262_144,
                max_request_size=DEAD_LETTER_BYTES_MAX,
            )
            await self._producer.start()
        return self._producer

    async def close(self) -> None:
        """Stops the producer; with the brokers away that could hang, so it is given two seconds."""
        producer, self._producer = self._producer, None
        if producer is not None:
            try:
                async with asyncio.timeout(2.0):
                    await producer.stop()
            except (KafkaError, TimeoutError):
                return  # it is given up either way
