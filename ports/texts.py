"""Texts and times from outside, as Postgres stores them and people read them."""

from datetime import UTC, datetime
from typing import Final

from ports.errors import UndecodableRecordError

ERROR_CHARS_MAX: Final = 1_000


def storable(text: str) -> str:
    """Returns the text without what PostgreSQL can't store, cut to ``ERROR_CHARS_MAX``.

    NUL and lone surrogates are replaced.
    """
    text = text[:ERROR_CHARS_MAX].replace("\0", "\N{REPLACEMENT CHARACTER}")
    return text.encode("utf-8", "replace").decode()


def utc_time(text: str) -> datetime:
    """Parses an ISO 8601 time with a zone. Returns it in UTC; raises UndecodableRecordError."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise UndecodableRecordError(f"{text!r} is no ISO 8601 time") from error
    if at.tzinfo is None:
        raise UndecodableRecordError(f"{text!r} has no time zone")
    try:
        return at.astimezone(UTC)
    except OverflowError as error:
        raise UndecodableRecordError(f"{text!r} is outside of the calendar") from error


def moment(at: datetime) -> str:
    """Formats a time for people: UTC, to the second."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"
