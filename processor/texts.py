"""Texts from outside, as Postgres takes them and a person can read them."""

from datetime import UTC, datetime
from typing import Final

from processor.errors import UndecodableRecordError

ERROR_CHARS_MAX: Final = 1_000


def storable(text: str) -> str:
    """The text without NUL characters, which PostgreSQL can't store, and not endlessly long."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")[:ERROR_CHARS_MAX]


def utc_time(text: str) -> datetime:
    """The moment an ISO 8601 time with a zone names. Raises UndecodableRecordError."""
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
