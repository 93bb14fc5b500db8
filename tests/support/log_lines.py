"""Log lines as they were written: an event and its fields."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest


def fields(record: logging.LogRecord) -> dict[str, Any]:
    """One line of our own loggers."""
    assert isinstance(record.msg, dict), f"{record.name} logs past structlog: {record.msg!r}"
    return record.msg


def lines(caplog: pytest.LogCaptureFixture, event: str) -> list[dict[str, Any]]:
    """Every line with this event, of our own loggers."""
    ours = (record.msg for record in caplog.records if isinstance(record.msg, dict))
    return [line for line in ours if line["event"] == event]


def written(log: Path, event: str) -> list[dict[str, Any]]:
    """Every line with this event in a program's log; none where there is no log yet."""
    if not log.exists():
        return []
    rows = (json.loads(line) for line in log.read_text().splitlines() if line.startswith("{"))
    return [row for row in rows if row.get("event") == event]
