"""Texts from outside, as Postgres takes them and a person can read them."""

from datetime import UTC, datetime
from typing import Final

from ports.errors import UndecodableRecordError

ERROR_CHARS_MAX: Final = 1_000


def storable(text: str) -> str:
    """The text without what PostgreSQL can't store (NUL, lone surrogates), and not too long."""
    text = text[:ERROR_CHARS_MAX].replace("\0", "\N{REPLACEMENT CHARACTER}")
    return text.encode("utf-8", "replace").decode()


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


def moment(at: datetime) -> str:
    """A time as people compare it: UTC, to the second."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"
