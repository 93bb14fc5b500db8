"""The opaque cursor of a page: base64url of where the page before ended."""

import base64
import binascii
from datetime import UTC, datetime, timedelta

from ingress.errors import InvalidCursorError
from postgres.reads import PageCursor
from schemas.http import FieldProblem
from schemas.identity import is_payment_id


def encode(position: PageCursor) -> str:
    """A cursor for the page after ``position``."""
    text = f"{position.created_at.astimezone(UTC).isoformat()} {position.payment_id}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode(cursor: str) -> PageCursor:
    """The position a cursor stands for. Raises InvalidCursorError for any other text.

    Any other: what it decodes to goes into a question to Postgres, which takes neither NUL nor
    every time zone that Python knows.
    """
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        text = base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii")
        moment, payment_id = text.split(" ")
        position = PageCursor(datetime.fromisoformat(moment), payment_id)
    except (ValueError, binascii.Error):
        raise _invalid() from None
    # One position has one cursor: whatever else decodes to it was made up.
    in_utc = position.created_at.utcoffset() == timedelta(0)
    if not (in_utc and is_payment_id(payment_id) and encode(position) == cursor):
        raise _invalid()
    return position


def _invalid() -> InvalidCursorError:
    problem = FieldProblem(
        field="cursor", problem="Use next_cursor as a page gave it, or leave it out to start anew"
    )
    return InvalidCursorError("The query parameter 'cursor' is not one of ours.", [problem])
