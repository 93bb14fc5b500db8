"""One way of logging for every program: structlog, over the standard library's logging.

A line has a time, a level, a logger, the name of an event, and fields; on a terminal it is for
people, everywhere else it is JSON. Bodies, keys and secrets are never fields: ``without_secrets``
is the last guard, not the first.
"""

import logging.config
import sys
from collections.abc import Callable
from typing import Any, Final

import structlog
from structlog.typing import EventDict, WrappedLogger

#: Libraries whose lines below WARNING repeat keys and values of records, and cost a tenth of the
#: speed.
QUIET_LOGGERS: Final = ("aiokafka", "asyncio", "faust", "kafka", "mode", "psycopg")
#: Fields that are no field of a line, whoever adds them.
SECRET_FIELDS: Final = frozenset(
    {"api_key", "authorization", "body", "password", "secret", "secrets", "token", "value"}
)
REDACTED: Final = "***"

get_logger: Final[Callable[[str], structlog.stdlib.BoundLogger]] = structlog.stdlib.get_logger


def redact_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """The line without what is nobody's business."""
    for name in SECRET_FIELDS & event.keys():
        event[name] = REDACTED
    return event


#: What every line goes through, also those of libraries.
_ALWAYS: Final[tuple[structlog.typing.Processor, ...]] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.ExtraAdder(),
    structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
    redact_secrets,
)


def configure() -> None:
    """Sets logging up, for this process: lines on standard error."""
    logging.config.dictConfig(configuration())
    configure_structlog()


def configure_structlog() -> None:
    """Has our own loggers hand their lines to the standard library's."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_ALWAYS,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def configuration() -> dict[str, Any]:
    """For ``logging.config``, and for what takes such a configuration: uvicorn."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": formatter, "terminal": sys.stderr.isatty()}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": "INFO"},
        "loggers": {name: {"level": "WARNING"} for name in QUIET_LOGGERS},
    }


def formatter(*, terminal: bool) -> logging.Formatter:
    """One record as one line of JSON; on a terminal, in columns and colours."""
    rendering: list[structlog.typing.Processor] = (
        [structlog.dev.ConsoleRenderer()]
        if terminal
        else [
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
        ]
    )
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_ALWAYS,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
    )
