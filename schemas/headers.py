"""Names of the Kafka record headers, and the CloudEvents headers of ``payment-state``."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

Headers = Sequence[tuple[str, bytes]]

# On provider-webhooks and provider-webhooks-unrouted.
EVENT_ID: Final = "event-id"
PROVIDER: Final = "provider"
RECEIVED_AT: Final = "received-at"
OBJECT_ID: Final = "object-id"

# On dead-letters: where the record stood, and why it is here.
ORIGINAL_TOPIC: Final = "original-topic"
ORIGINAL_PARTITION: Final = "original-partition"
ORIGINAL_OFFSET: Final = "original-offset"
ORIGINAL_TIMESTAMP: Final = "original-timestamp"
ERROR: Final = "error"
#: Why the dead letter is not the record as it came, where it isn't. Such a one is not sent again.
ALTERED: Final = "altered"

#: A longer ID is nobody's.
ID_CHARS_MAX: Final = 500

CLOUD_EVENT_TYPE: Final = "payments.payment.state.v1"
CLOUD_EVENT_SOURCE: Final = "/payments/processor"


def as_text(headers: Iterable[tuple[str, bytes | None]]) -> dict[str, str]:
    """Headers as text by name; the last of a repeated name wins.

    What no text can hold is replaced: undecodable bytes, and NUL, which PostgreSQL can't store.
    """
    return {
        _text(name): _text((value or b"").decode("utf-8", "replace")) for name, value in headers
    }


def _text(text: str) -> str:
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


def version_name(headers: Mapping[str, str]) -> str:
    """``<payment ID>:<version>`` of a ``payment-state`` record, however often it is published."""
    return f"{headers['ce_subject']}:{headers['ce_id'].rpartition(':')[2]}"


#: There, with the value ``true``, while the payment is quarantined.
QUARANTINED: Final = "ce_quarantined"


def cloud_event(
    payment_id: str, version: int, at: datetime, publication_id: int, *, quarantined: bool = False
) -> list[tuple[str, bytes]]:
    """Headers of one ``payment-state`` record: CloudEvents 1.0, Kafka binary content mode.

    ``ce_id`` is ``<payment ID>:<publication>:<version>``: a record that is published twice has the
    same one, a version that is published again because a quarantine began or ended has another.
    """
    return [
        *([(QUARANTINED, b"true")] if quarantined else []),
        ("ce_specversion", b"1.0"),
        ("ce_id", f"{payment_id}:{publication_id}:{version}".encode()),
        ("ce_source", CLOUD_EVENT_SOURCE.encode()),
        ("ce_type", CLOUD_EVENT_TYPE.encode()),
        ("ce_subject", payment_id.encode()),
        ("ce_time", at.isoformat().encode()),
        ("content-type", b"application/json"),
    ]
