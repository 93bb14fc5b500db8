"""Opaque page cursors: the position where the previous page ended, in base64url."""

import base64
import binascii
from datetime import UTC, datetime, timedelta

from ingress.errors import InvalidCursorError
from postgres.reads import PageCursor
from schemas.http import FieldProblem
from schemas.identity import is_payment_id


def encode(position: PageCursor) -> str:
    """Returns the cursor of the page after ``position``."""
    text = f"{position.created_at.astimezone(UTC).isoformat()} {position.payment_id}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode(cursor: str) -> PageCursor:
    """Returns the position of a cursor. Raises InvalidCursorError unless ``encode`` made it.

    It must be strict, because the position goes into a query: Postgres accepts neither NUL nor
    every time zone of Python.
    """
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        text = base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii")
        moment, payment_id = text.split(" ")
        position = PageCursor(datetime.fromisoformat(moment), payment_id)
    except (ValueError, binascii.Error):
        raise _invalid() from None
    # A position has one cursor. Any other text that decodes to it was not made by ``encode``.
    in_utc = position.created_at.utcoffset() == timedelta(0)
    if not (in_utc and is_payment_id(payment_id) and encode(position) == cursor):
        raise _invalid()
    return position


def _invalid() -> InvalidCursorError:
    problem = FieldProblem(
        field="cursor",
        problem="Use next_cursor of the previous page, or leave the cursor out to start again",
    )
    return InvalidCursorError(
        "The query parameter 'cursor' is not a next_cursor of this API.", [problem]
    )
