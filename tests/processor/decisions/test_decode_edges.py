"""Extreme times, nesting and characters make a dead letter, never an exception."""

from datetime import UTC, datetime
from typing import Final

import pytest
from msgspec.structs import replace

from domain.inputs import Create
from ports.records import ConsumedRecord, DeadLetter, Unreadable
from schemas import headers
from tests.support.builders import DECODER, Log, payment, received

ONE: Final = payment("one")
_WEBHOOK: Final = Log().webhook(ONE, "succeeded")
#: Valid ISO 8601, but in UTC in the year 0 and in the year 10000.
OUTSIDE: Final = ("0001-01-01T00:00:00+12:00", "9999-12-31T23:00:00-12:00")


def dated(at: str) -> ConsumedRecord:
    """A valid webhook, received at this time."""
    return replace(_WEBHOOK, headers={**_WEBHOOK.headers, headers.RECEIVED_AT: at})


def error_of(record: ConsumedRecord) -> str:
    """Returns the error of a record, which must be a dead letter."""
    dead_letter = DECODER.decode(record)
    assert isinstance(dead_letter, DeadLetter)
    assert dead_letter.record == record
    return dead_letter.error


@pytest.mark.parametrize("at", OUTSIDE)
def test_a_webhook_from_outside_of_the_calendar_is_a_dead_letter(at: str) -> None:
    """In UTC it is outside of the years 1 to 9999, which are all that a date can have."""
    error = error_of(dated(at))
    assert "outside of the calendar" in error


@pytest.mark.parametrize("at", OUTSIDE)
@pytest.mark.parametrize("field", ["received_at", "expires_at"])
def test_a_command_from_outside_of_the_calendar_is_a_dead_letter(at: str, field: str) -> None:
    """This applies to each time in a command. The error names the field."""
    error = error_of(Log().create(ONE, **{field: at}))
    assert f"{field}: Send a time within the years 1 to 9999" in error


@pytest.mark.parametrize("at", OUTSIDE)
def test_a_result_from_outside_of_the_calendar_is_a_dead_letter(at: str) -> None:
    """The error names the field."""
    assert "received_at: Send a time within the years 1 to 9999" in error_of(
        Log().result(ONE, received_at=at)
    )


def test_a_time_just_inside_of_the_calendar_is_accepted() -> None:
    """Its first and its last moment are converted to UTC from any zone."""
    first, last = "0001-01-01T12:00:00+12:00", "9999-12-31T11:59:59-12:00"
    assert received(dated(first)).input.received_at == datetime(1, 1, 1, tzinfo=UTC)
    created = received(Log().create(ONE, received_at=first, expires_at=last)).input
    assert created.received_at == datetime(1, 1, 1, tzinfo=UTC)
    assert isinstance(created.body, Create)
    assert created.body.expires_at == datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert created.received_at.tzinfo is created.body.expires_at.tzinfo is UTC


def test_a_deeply_nested_webhook_is_a_dead_letter() -> None:
    """It is nested deeper than any stack."""
    deep = b"[" * 100_000 + b"]" * 100_000
    error = error_of(replace(_WEBHOOK, value=_WEBHOOK.value[:-1] + b', "x": ' + deep + b"}"))
    assert "not a Stripe event" in error


def test_an_error_contains_no_character_that_cannot_be_stored() -> None:
    """PostgreSQL can't store NUL, which any name or text may contain."""
    named = headers.as_text([
        *((name, text.encode()) for name, text in _WEBHOOK.headers.items()),
        (headers.EVENT_ID, b"evt\0"),
    ])  # fmt: skip
    for record in (
        Log().command(ONE, "cancel", **{"a\0b": 1}),
        replace(_WEBHOOK, headers=named),
    ):
        assert "\0" not in error_of(record)
    unreadable = replace(_WEBHOOK, value=Unreadable(b"", "a\0b"))
    assert error_of(unreadable) == "a\N{REPLACEMENT CHARACTER}b"


def test_an_error_is_truncated() -> None:
    """It has at most a thousand characters, whatever the record and its reason are."""
    assert len(error_of(Log().command(ONE, "cancel", **{"a" * 500_000: 1}))) < 1_000
    unreadable = replace(_WEBHOOK, value=Unreadable(b"", "a" * 500_000))
    assert len(error_of(unreadable)) == 1_000
