"""Record headers: CloudEvents 1.0 attributes when published, and decoding of any header."""

from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.headers import as_text, cloud_event

#: Hypothesis's deadline would fail on a busy machine.
unhurried = settings(deadline=None)

AT = datetime(2026, 1, 1, 12, 30, tzinfo=UTC)
MADE = dict(cloud_event("pay_1", 7, AT, 40))


def test_every_required_cloudevents_attribute_is_set() -> None:
    """The headers use Kafka's binary content mode, and none is empty."""
    assert {"ce_id", "ce_source", "ce_specversion", "ce_type"} <= set(MADE)
    assert all(MADE.values())
    assert MADE["ce_specversion"] == b"1.0"
    assert MADE["ce_type"] == b"payments.payment.state.v1"
    assert MADE["ce_source"] == b"/payments/processor"
    assert MADE["content-type"] == b"application/json"


def test_no_header_is_repeated() -> None:
    """Kafka would store both."""
    assert len(MADE) == len(cloud_event("pay_1", 7, AT, 40))


def test_the_id_names_payment_publication_and_version() -> None:
    """Source and ID are unique per publication, and equal if it is published twice."""
    assert MADE["ce_id"] == b"pay_1:40:7"
    assert cloud_event("pay_1", 7, AT, 40) == cloud_event("pay_1", 7, AT, 40)
    assert dict(cloud_event("pay_1", 8, AT, 40))["ce_id"] != MADE["ce_id"]
    assert dict(cloud_event("pay_1", 7, AT, 41))["ce_id"] != MADE["ce_id"]
    assert dict(cloud_event("pay_2", 7, AT, 40))["ce_id"] != MADE["ce_id"]


def test_a_quarantine_has_its_own_header() -> None:
    """This CloudEvents extension attribute exists only while the payment is quarantined."""
    quarantined = dict(cloud_event("pay_1", 7, AT, 40, quarantined=True))
    assert quarantined == MADE | {"ce_quarantined": b"true"}


def test_subject_and_time_are_the_payments() -> None:
    """The time is in RFC 3339 format with its zone."""
    assert MADE["ce_subject"] == b"pay_1"
    assert datetime.fromisoformat(MADE["ce_time"].decode()) == AT
    assert MADE["ce_time"].endswith(b"+00:00")


def test_headers_are_read_as_text() -> None:
    """The last of a repeated name wins; a null value is empty; invalid bytes are replaced."""
    read = as_text([("a", b"1"), ("b", None), ("a", "ü".encode()), ("c", b"\xff")])
    assert read == {"a": "ü", "b": "", "c": "\N{REPLACEMENT CHARACTER}"}


@unhurried
@given(st.lists(st.tuples(st.text(), st.none() | st.binary())))
def test_no_header_raises(found: list[tuple[str, bytes | None]]) -> None:
    """Any program may have written the record."""
    read = as_text(found)
    assert len(read) <= len(found)
    assert not any("\0" in text for pair in read.items() for text in pair)
