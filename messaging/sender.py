"""The producer of everything but ``payment-state``: dead letters, results, routed webhooks."""

from collections.abc import Sequence

from messaging.instances import Target
from messaging.producer import Producer
from ports.errors import MessagingError, PublishError
from ports.producer_record import OVERHEAD_BYTES, ProducerRecord
from schemas.topics import DEAD_LETTERS, request_bytes_max

__all__ = ["ProducerRecord", "Sender"]


class Sender:
    """Sends records for any number of tasks; it reports delivery or raises."""

    def __init__(self, bootstrap: str, client_id: str, deadline_s: float) -> None:
        self._client_id = client_id
        self._deadline_s = deadline_s
        # what is as large as the largest dead letter fits in, with its headers
        longest = request_bytes_max(DEAD_LETTERS) - OVERHEAD_BYTES
        self._producer = Producer(Target(bootstrap, client_id, longest))

    async def send(self, records: Sequence[ProducerRecord]) -> None:
        """Sends and awaits every record. Raises PublishError; then their fate is unknown."""
        try:
            await self._producer.send(records, self._deadline_s)
        except MessagingError as error:
            raise PublishError(f"{self._client_id}: {error}") from error

    async def close(self) -> None:
        """Closes for good, within seconds, whether the brokers answer or not."""
        await self._producer.close()
