"""Record headers: CloudEvents 1.0 on what is published, and text of whatever stands there."""

from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.headers import as_text, cloud_event

#: The machine may be busy: an example may take its time.
unhurried = settings(deadline=None)

AT = datetime(2026, 1, 1, 12, 30, tzinfo=UTC)
MADE = dict(cloud_event("pay_1", 7, AT, 40))


def test_every_attribute_that_cloudevents_requires_is_there() -> None:
    """id, source, specversion and type, in Kafka's binary content mode, none empty."""
    assert {"ce_id", "ce_source", "ce_specversion", "ce_type"} <= set(MADE)
    assert all(MADE.values())
    assert MADE["ce_specversion"] == b"1.0"
    assert MADE["ce_type"] == b"payments.payment.state.v1"
    assert MADE["ce_source"] == b"/payments/processor"
    assert MADE["content-type"] == b"application/json"


def test_a_header_stands_there_once() -> None:
    """Kafka would keep both."""
    assert len(MADE) == len(cloud_event("pay_1", 7, AT, 40))


def test_the_id_names_payment_publication_and_version() -> None:
    """Source and ID together are unique per publication; published twice, they are the same."""
    assert MADE["ce_id"] == b"pay_1:40:7"
    assert cloud_event("pay_1", 7, AT, 40) == cloud_event("pay_1", 7, AT, 40)
    assert dict(cloud_event("pay_1", 8, AT, 40))["ce_id"] != MADE["ce_id"]
    assert dict(cloud_event("pay_1", 7, AT, 41))["ce_id"] != MADE["ce_id"]
    assert dict(cloud_event("pay_2", 7, AT, 40))["ce_id"] != MADE["ce_id"]


def test_a_quarantine_is_a_header_of_its_own() -> None:
    """An extension attribute of CloudEvents, there only while the payment is quarantined."""
    quarantined = dict(cloud_event("pay_1", 7, AT, 40, quarantined=True))
    assert quarantined == MADE | {"ce_quarantined": b"true"}


def test_subject_and_time_are_the_payments() -> None:
    """The time is RFC 3339, with its zone."""
    assert MADE["ce_subject"] == b"pay_1"
    assert datetime.fromisoformat(MADE["ce_time"].decode()) == AT
    assert MADE["ce_time"].endswith(b"+00:00")


def test_headers_are_read_as_text() -> None:
    """The last of a repeated name holds; none at all is empty."""
    read = as_text([("a", b"1"), ("b", None), ("a", "ü".encode()), ("c", b"\xff")])
    assert read == {"a": "ü", "b": "", "c": "\N{REPLACEMENT CHARACTER}"}


@unhurried
@given(st.lists(st.tuples(st.text(), st.none() | st.binary())))
def test_no_header_raises(found: list[tuple[str, bytes | None]]) -> None:
    """Anybody may have written the record."""
    read = as_text(found)
    assert len(read) <= len(found)
    assert not any("\0" in text for pair in read.items() for text in pair)
