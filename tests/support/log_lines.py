"""Reads log lines: an event and its fields."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest


def fields(record: logging.LogRecord) -> dict[str, Any]:
    """The fields of one line of our loggers."""
    assert isinstance(record.msg, dict), f"{record.name} bypasses structlog: {record.msg!r}"
    return record.msg


def lines(caplog: pytest.LogCaptureFixture, event: str) -> list[dict[str, Any]]:
    """Every line of our loggers with this event."""
    own = (record.msg for record in caplog.records if isinstance(record.msg, dict))
    return [line for line in own if line["event"] == event]


def written(log: Path, event: str) -> list[dict[str, Any]]:
    """Every line of a program's log with this event; none if there is no log yet."""
    if not log.exists():
        return []
    rows = (json.loads(line) for line in log.read_text().splitlines() if line.startswith("{"))
    return [row for row in rows if row.get("event") == event]
