"""Log lines: their format, their bound fields, and no secrets."""

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from io import StringIO

import pytest
import structlog

from runtime import logs


@pytest.fixture
def written() -> Iterator[StringIO]:
    """The output of the logger ``lines``, configured as in a program."""
    stream = StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.formatter(terminal=False))
    logger = logging.getLogger("lines")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    yield stream
    logger.removeHandler(handler)


def test_a_line_is_json_with_its_fields(written: StringIO) -> None:
    """Timestamp, level, logger, event and fields; always one line."""
    logs.get_logger("lines").warning("part.close_failed", part="two\nlines")
    (line,) = written.getvalue().splitlines()
    found = json.loads(line)
    assert found.pop("timestamp").endswith("Z")
    assert found == {
        "event": "part.close_failed", "part": "two\nlines", "level": "warning", "logger": "lines",
    }  # fmt: skip


def test_bound_fields_are_on_every_line(written: StringIO) -> None:
    """Also on the lines of libraries."""
    with structlog.contextvars.bound_contextvars(payment_id="pay_1"):
        logs.get_logger("lines").info("own")
        logging.getLogger("lines.library").info("library %s", "too", extra={"more": 1})
    own, library = map(json.loads, written.getvalue().splitlines())
    assert own["payment_id"] == library["payment_id"] == "pay_1"
    assert (library["event"], library["more"]) == ("library too", 1)


def test_an_exception_is_part_of_its_line(written: StringIO) -> None:
    """With its traceback, still on one line."""
    error = KeyError("a defect")
    logs.get_logger("lines").error("command.failed", command="audit", exc_info=error)
    (line,) = written.getvalue().splitlines()
    assert "KeyError: 'a defect'" in json.loads(line)["exception"]


def test_every_name_of_a_secret_is_known() -> None:
    """A header, a setting or a record could otherwise be logged under one of these names."""
    assert {
        "api_key", "authorization", "body", "password", "secret", "secrets", "token", "value",
    } <= logs.SECRET_FIELDS  # fmt: skip


@pytest.mark.parametrize("field", sorted(logs.SECRET_FIELDS))
def test_a_secret_field_is_redacted(written: StringIO, field: str) -> None:
    """In our own lines and in libraries' lines."""
    logs.get_logger("lines").warning("anything", **{field: "hunter2"})
    logging.getLogger("lines").warning("anything", extra={field: "hunter2"})
    assert "hunter2" not in written.getvalue()


def test_a_terminal_gets_columns() -> None:
    """A terminal does not get JSON."""
    record = logging.makeLogRecord({"name": "payments", "levelname": "INFO", "msg": "ready"})
    text = logs.formatter(terminal=True).format(record)
    assert "ready" in text
    assert not text.startswith("{")


def test_libraries_that_log_records_are_limited_to_warnings() -> None:
    """Their lines below WARNING contain keys and values of records."""
    levels = logs.configuration()["loggers"]
    assert {levels[name]["level"] for name in logs.QUIET_LOGGERS} == {"WARNING"}
    assert {"aiokafka", "faust", "mode"} <= set(logs.QUIET_LOGGERS)


PROGRAM = """
import logging
library = logging.getLogger("library")
from runtime import logs
logs.configure()
library.info("of a library")
logs.get_logger("ours").info("program.started")
library.debug("of a request")
logging.getLogger("aiokafka").info("of a record")
"""


def test_a_program_logs_from_info_on() -> None:
    """A logger that existed before counts too. Libraries' debug lines contain requests."""
    ended = subprocess.run(  # noqa: S603
        [sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True
    )
    events = [json.loads(line)["event"] for line in ended.stderr.splitlines()]
    assert events == ["of a library", "program.started"]
    assert ended.stdout == ""
