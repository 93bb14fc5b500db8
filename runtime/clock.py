"""The system clock. Only entry points read it; all other code is given a clock."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    """Returns the current time, timezone-aware, in UTC."""
    return datetime.now(UTC)
