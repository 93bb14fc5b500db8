"""The cursor of a page stands for one place, and only for it."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingress import cursors
from ingress.errors import InvalidCursorError
from processor.store.reads import Position

MOMENTS = st.datetimes(min_value=datetime(2000, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  # hypothesis wants it naive


@given(MOMENTS, st.from_regex(r"\Apay_[a-z2-7]{30}\Z"))
def test_a_cursor_leads_back_to_its_place(moment: datetime, payment_id: str) -> None:
    """Decoding gives the position again, in characters a URL needs no escapes for."""
    position = Position(moment, payment_id)
    cursor = cursors.encode(position)
    assert cursors.decode(cursor) == position
    assert set(cursor) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


@given(st.text())
def test_any_other_text_is_refused(text: str) -> None:
    """What is not a cursor is an error of ours, never another exception."""
    with pytest.raises(InvalidCursorError):
        cursors.decode(text)


def test_time_zones_come_back_as_they_were() -> None:
    """A moment in another zone is the same moment."""
    zoned = datetime(2026, 3, 1, 12, 0, tzinfo=timezone(timedelta(hours=2)))
    assert cursors.decode(cursors.encode(Position(zoned, "pay_x"))).created_at == zoned
