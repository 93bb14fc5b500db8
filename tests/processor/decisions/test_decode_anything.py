"""Any record becomes an input or a dead letter. Decoding never raises."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ports.records import ConsumedRecord, DecodedInput, RecordOffset
from schemas import headers
from schemas.topics import PROCESSOR_SOURCES
from tests.support.builders import DECODER, NOW, Log, payment, received
from tests.support.properties import thorough

PAYMENT: Final = payment("decoded")

_keys = st.one_of(st.none(), st.binary(max_size=40), st.just(PAYMENT.encode()))
_text = st.binary(max_size=20).map(lambda drawn: drawn.decode("utf-8", "replace"))
_named = st.dictionaries(
    st.sampled_from([headers.EVENT_ID, headers.PROVIDER, headers.RECEIVED_AT, "other"]),
    st.one_of(_text, st.just("stripe"), st.just(NOW.isoformat())),
)
_json = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), _text),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_text, inner, max_size=3)),
    max_leaves=6,
)


def _assert_decodes(record: ConsumedRecord) -> None:
    decoded = DECODER.decode(record)
    assert isinstance(decoded, DecodedInput) or decoded.error


@thorough
@given(st.sampled_from(PROCESSOR_SOURCES), _keys, st.binary(max_size=200), _named)
def test_no_bytes_raise(topic: str, key: bytes | None, value: bytes, named: dict[str, str]) -> None:
    """Any key, value and headers on any topic become an input or a dead letter with an error."""
    _assert_decodes(
        ConsumedRecord(
            position=RecordOffset(topic, 0, 0), key=key, value=value, headers=named, timestamp_ms=0
        )
    )


_BODIES: Final = {
    "a command": Log().create(PAYMENT),
    "a result": Log().result(PAYMENT),
    "an event": Log().webhook(PAYMENT, "succeeded"),
    "its object": Log().webhook(PAYMENT, "succeeded"),
}


@thorough
@given(st.sampled_from(sorted(_BODIES)), st.data())
def test_no_field_raises(where: str, data: st.DataObject) -> None:
    """So does a valid record with any one field changed to anything else."""
    body = json.loads(_BODIES[where].value)
    inside = body["data"]["object"] if where == "its object" else body
    inside[data.draw(st.sampled_from(sorted(inside)))] = data.draw(_json)
    _assert_decodes(replace(_BODIES[where], value=json.dumps(body).encode()))


_offsets = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@thorough
@given(st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29), timezones=_offsets))  # noqa: DTZ001  # drawn with a zone
def test_any_zones_time_is_the_same_moment(at: datetime) -> None:
    """A time with a zone is that moment, in UTC."""
    good = _BODIES["an event"]
    named = {**good.headers, headers.RECEIVED_AT: at.isoformat()}
    got = received(replace(good, headers=named))
    assert got.input.received_at == at
    assert got.input.received_at.tzinfo is UTC
