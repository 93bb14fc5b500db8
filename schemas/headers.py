"""Names of the Kafka record headers, and the CloudEvents headers of what is published."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

Headers = Sequence[tuple[str, bytes]]

# On provider-webhooks and provider-webhooks-unrouted.
EVENT_ID: Final = "event-id"
PROVIDER: Final = "provider"
RECEIVED_AT: Final = "received-at"
OBJECT_ID: Final = "object-id"
#: On a record that waits and was sent again, because its account has become known: what waits for
#: its payment is taken up.
AGAIN: Final = "again"
#: Has the value ``true`` on what came to an endpoint of notices; otherwise it is absent.
NOTICE: Final = "notice"

# On dead-letters: the position of the original record, and the error.
ORIGINAL_TOPIC: Final = "original-topic"
ORIGINAL_PARTITION: Final = "original-partition"
ORIGINAL_OFFSET: Final = "original-offset"
ORIGINAL_TIMESTAMP: Final = "original-timestamp"
ERROR: Final = "error"
#: Why the dead letter differs from the original record, if it does. It is then never sent again.
ALTERED: Final = "altered"

#: A longer ID in a header is refused.
ID_CHARS_MAX: Final = 500

CLOUD_EVENT_TYPE: Final = "payments.payment.state.v1"
CLOUD_EVENT_OPERATION_TYPE: Final = "payments.payment.operation.v1"
CLOUD_EVENT_SOURCE: Final = "/payments/processor"


def as_text(headers: Iterable[tuple[str, bytes | None]]) -> dict[str, str]:
    """Returns headers as text by name. Of a repeated name the last one wins.

    Replaces undecodable bytes, and NUL, which PostgreSQL can't store.
    """
    return {
        _text(name): _text((value or b"").decode("utf-8", "replace")) for name, value in headers
    }


def _text(text: str) -> str:
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


def version_name(headers: Mapping[str, str]) -> str:
    """Returns ``<payment ID>:<version>`` of a ``payment-state`` record, from its headers."""
    return f"{headers['ce_subject']}:{headers['ce_id'].rpartition(':')[2]}"


#: Has the value ``true`` while the payment is quarantined; otherwise it is absent.
QUARANTINED: Final = "ce_quarantined"


def cloud_event(
    payment_id: str, version: int, at: datetime, publication_id: int, *, quarantined: bool = False
) -> list[tuple[str, bytes]]:
    """Returns the headers of a ``payment-state`` record: CloudEvents 1.0, binary content mode.

    ``ce_id`` is ``<payment ID>:<publication>:<version>``. Both copies of a record that is published
    twice have the same ``ce_id``. A version that is published again because a quarantine began or
    ended is a new publication.
    """
    return [
        *([(QUARANTINED, b"true")] if quarantined else []),
        *_headers(f"{payment_id}:{publication_id}:{version}", CLOUD_EVENT_TYPE, payment_id, at),
    ]


def operation_event(
    operation_id: str, status: str, payment_id: str, at: datetime
) -> list[tuple[str, bytes]]:
    """Returns the headers of a ``payment-operations`` record: CloudEvents 1.0, as above.

    ``ce_id`` is ``<operation ID>:<status>``: a change that is published twice has the same.
    """
    return _headers(f"{operation_id}:{status}", CLOUD_EVENT_OPERATION_TYPE, payment_id, at)


def _headers(event_id: str, type_: str, payment_id: str, at: datetime) -> list[tuple[str, bytes]]:
    return [
        ("ce_specversion", b"1.0"),
        ("ce_id", event_id.encode()),
        ("ce_source", CLOUD_EVENT_SOURCE.encode()),
        ("ce_type", type_.encode()),
        ("ce_subject", payment_id.encode()),
        ("ce_time", at.isoformat().encode()),
        ("content-type", b"application/json"),
    ]
