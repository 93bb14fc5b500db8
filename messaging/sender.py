"""Publishes everything except ``payment-state``: dead letters, results, webhooks, commands."""

from collections.abc import Sequence

from messaging.instances import ProducerConfig
from messaging.producer import Producer
from ports.errors import MessagingError, PublishError
from ports.producer_record import OVERHEAD_BYTES, ProducerRecord
from schemas.topics import DEAD_LETTERS, request_bytes_max

__all__ = ["ProducerRecord", "Sender"]


class Sender:
    """Sends records for any number of tasks.

    Args:
        bootstrap: the brokers.
        client_id: identifies this program to the brokers.
        deadline_s: how long one send may take, in seconds.
    """

    def __init__(self, bootstrap: str, client_id: str, deadline_s: float) -> None:
        self._client_id = client_id
        self._deadline_s = deadline_s
        # large enough for the largest dead letter with its headers
        longest = request_bytes_max(DEAD_LETTERS) - OVERHEAD_BYTES
        self._producer = Producer(ProducerConfig(bootstrap, client_id, longest))

    async def send(self, records: Sequence[ProducerRecord]) -> None:
        """Returns once the brokers have every record.

        Raises PublishError; any of the records may have been written then.
        """
        try:
            await self._producer.send(records, self._deadline_s)
        except MessagingError as error:
            raise PublishError(f"{self._client_id}: {error}") from error

    async def close(self) -> None:
        """Closes within seconds, even if the brokers do not respond."""
        await self._producer.close()
