"""A record on its way to Kafka."""

from dataclasses import dataclass
from typing import Final

from schemas.headers import Headers

#: Room for a record's key and headers beside its value, in bytes.
OVERHEAD_BYTES: Final = 4 * 1024


@dataclass(frozen=True, slots=True)
class ProducerRecord:
    """One record to send; its key chooses the partition."""

    topic: str
    key: bytes | None
    value: bytes
    headers: Headers = ()

    @property
    def size(self) -> int:
        """The bytes that count for it while it is in flight."""
        return len(self.value) + OVERHEAD_BYTES
