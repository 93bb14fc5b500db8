"""Texts and times from outside, as Postgres stores them and people read them."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, TypeVar

import msgspec

from ports.errors import UndecodableRecordError

ERROR_CHARS_MAX: Final = 1_000
#: A longer address is left out: the beginning of one leads nowhere.
URL_CHARS_MAX: Final = 4_000
_REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"
#: Each escape of a JSON text: a whole character of two halves, one half alone, any other.
_ESCAPES: Final = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(?P<half>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
_T = TypeVar("_T")
#: Where msgspec's errors repeat a value or a name. What follows is the place, which has only names
#: of our own types.
_REPEATED: Final = re.compile(
    r"\b(value|field) (?P<quote>['\"`]).*(?P=quote)(?= - at |\Z)", re.DOTALL
)


def storable(text: str) -> str:
    """Returns the text without what PostgreSQL can't store, cut to ``ERROR_CHARS_MAX``.

    NUL and lone surrogates are replaced.
    """
    text = text[:ERROR_CHARS_MAX].replace("\0", _REPLACEMENT)
    return text.encode("utf-8", "replace").decode()


def repaired(body: bytes) -> bytes:
    """Returns JSON without half characters and bytes that are no UTF-8: each is replaced.

    A provider that cuts a text can cut a character in half, which leaves a lone surrogate. No
    parser of ours accepts it, although nothing else is wrong with the event.
    """
    text = body.decode("utf-8", "replace").replace("\0", _REPLACEMENT).encode()
    return _ESCAPES.sub(lambda found: rb"\ufffd" if found["half"] else found[0], text)


def decoded(decode: Callable[[bytes], _T], body: bytes) -> _T:
    """Returns the body decoded; a repaired copy if its texts are broken. Raises as ``decode``."""
    try:
        return decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        whole = repaired(body)
        if whole == body:
            raise
        return decode(whole)


def without_content(error: Exception) -> str:
    """Returns what msgspec says is wrong with some bytes, and where, without any of their text."""
    return _REPEATED.sub(r"\1", str(error))


def printable(text: str, keep: str = "") -> str:
    """Returns the text with everything escaped that a terminal would obey or hide, except ``keep``.

    These are control characters, marks of direction, and the like.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        c if c.isprintable() or c in keep else c.encode("unicode_escape").decode() for c in text
    )


def utc_time(text: str) -> datetime:
    """Parses an ISO 8601 time with a zone. Returns it in UTC; raises UndecodableRecordError."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise UndecodableRecordError("a time is not in ISO 8601") from error
    if at.tzinfo is None:
        raise UndecodableRecordError("a time has no time zone")
    try:
        return at.astimezone(UTC)
    except OverflowError as error:
        raise UndecodableRecordError("a time is outside of the calendar") from error


def moment(at: datetime) -> str:
    """Formats a time for people: UTC, to the second."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"
