"""Opaque page cursors: the position where the previous page ended, in base64url.

They must be read strictly, because a position goes into a query: Postgres accepts neither NUL nor
every time zone of Python nor every number.
"""

import base64
import binascii
import re
from datetime import UTC, datetime, timedelta
from typing import Final

from ingress.errors import InvalidCursorError, InvalidFieldsError
from postgres.payment_list import PageCursor
from postgres.timeline import TimelineCursor
from schemas.http import FieldProblem
from schemas.identity import is_payment_id

#: Of what distinguishes the filters of a list.
KEY_CHARS: Final = 16
_KEY: Final = re.compile(rf"[0-9a-f]{{{KEY_CHARS}}}")
#: As brokers name topics.
_TOPIC: Final = re.compile(r"[A-Za-z0-9._-]{1,249}")
#: The end of a call's key, after its payment's ID.
_CALL: Final = re.compile(r"(:[A-Za-z0-9_.-]{1,100}){1,2}")
_PARTITION_MAX: Final = 2**31 - 1
_OFFSET_MAX: Final = 2**63 - 1


def encode(position: PageCursor, filters: str = "") -> str:
    """Returns the cursor of the page of payments after ``position``.

    ``filters`` are ``KEY_CHARS`` characters that are other ones for other filters; none without.
    """
    return _encoded(_text(position.created_at), position.payment_id, *filter(None, [filters]))


def decode(cursor: str, filters: str = "") -> PageCursor:
    """Returns the position of a cursor.

    Raises InvalidCursorError unless ``encode`` made it, and InvalidFieldsError if it made it for
    other filters: the page after it would be of another list.
    """
    try:
        moment, payment_id, *own = _parts(cursor)
        position = PageCursor(_utc(moment), payment_id)
    except (ValueError, binascii.Error):
        raise _invalid() from None
    key = own[0] if own else ""
    # A position has one cursor. Any other text that decodes to it was not made by ``encode``.
    is_made_here = is_payment_id(payment_id) and encode(position, key) == cursor
    if not (is_made_here and (not own or _KEY.fullmatch(key))):
        raise _invalid()
    if key != filters:
        problem = FieldProblem(
            field="cursor",
            problem="Send it with the filters of the page that it came with, or leave it out",
        )
        raise InvalidFieldsError("The cursor belongs to other filters.", [problem])
    return position


def encode_timeline(position: TimelineCursor) -> str:
    """Returns the cursor of the page of a timeline after ``position``."""
    if position.call_key:
        return _encoded(_text(position.at), position.call_key)
    received_at, where = _text(position.received_at), (position.partition, position.offset)
    return _encoded(_text(position.at), received_at, position.topic, *map(str, where))


def decode_timeline(cursor: str, payment_id: str) -> TimelineCursor:
    """Returns the position of a cursor of this payment's timeline.

    Raises InvalidCursorError unless ``encode_timeline`` made it.
    """
    try:
        position = _timeline_position(_parts(cursor))
    except (ValueError, binascii.Error):
        raise _invalid() from None
    call = position.call_key
    is_call = call.startswith(payment_id) and _CALL.fullmatch(call.removeprefix(payment_id))
    if not (is_call if call else _TOPIC.fullmatch(position.topic)):
        raise _invalid()
    in_range = position.partition <= _PARTITION_MAX and position.offset <= _OFFSET_MAX
    if not (in_range and encode_timeline(position) == cursor):
        raise _invalid()
    return position


def _timeline_position(parts: list[str]) -> TimelineCursor:
    """Returns the position of these parts. Raises ValueError if they are none."""
    if len(parts) == 2:  # noqa: PLR2004  # a time and a call's key
        return TimelineCursor(at=_utc(parts[0]), call_key=parts[1])
    at, received_at, topic, partition, offset = parts
    return TimelineCursor(
        at=_utc(at),
        received_at=_utc(received_at),
        topic=topic,
        partition=int(partition),
        offset=int(offset),
    )


def _encoded(*parts: str) -> str:
    return base64.urlsafe_b64encode(" ".join(parts).encode()).decode().rstrip("=")


def _parts(cursor: str) -> list[str]:
    """Returns the parts of a cursor. Raises ValueError or binascii.Error if it is none."""
    padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
    return base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii").split(" ")


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()


def _utc(text: str) -> datetime:
    """Returns a time in UTC. Raises ValueError for any other text."""
    moment = datetime.fromisoformat(text)
    if moment.utcoffset() != timedelta(0):
        raise ValueError("not in UTC")
    return moment


def _invalid() -> InvalidCursorError:
    problem = FieldProblem(
        field="cursor",
        problem="Use next_cursor of the previous page, or leave the cursor out to start again",
    )
    return InvalidCursorError(
        "The query parameter 'cursor' is not a next_cursor of this API.", [problem]
    )
