"""Logging for every program: structlog on top of the standard library's logging.

A line has a timestamp, a level, a logger, an event name and fields. It is JSON, except on a
terminal. Event names read ``noun.verb_past``; a field with a unit ends in it (``wait_s``). IDs are
bound with ``structlog.contextvars`` around the work on one thing, so libraries' lines have them
too. Bodies, keys and secrets must never be fields; ``redact_secrets`` is only the last guard.
"""

import logging.config
import sys
from collections.abc import Callable
from typing import Any, Final

import structlog
from structlog.typing import EventDict, WrappedLogger

#: Libraries whose lines below WARNING contain keys and values of records, or a provider's addresses
#: several times a request, and cost a tenth of the throughput.
QUIET_LOGGERS: Final = (
    "aiokafka", "asyncio", "faust", "httpx", "kafka", "mode", "psycopg",
)  # fmt: skip
#: Fields whose values are replaced by ``REDACTED``, in our own lines and in libraries' lines.
SECRET_FIELDS: Final = frozenset(
    {"api_key", "authorization", "body", "password", "secret", "secrets", "token", "value"}
)
REDACTED: Final = "***"

get_logger: Final[Callable[[str], structlog.stdlib.BoundLogger]] = structlog.stdlib.get_logger


def redact_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replaces the values of secret fields."""
    for name in SECRET_FIELDS & event.keys():
        event[name] = REDACTED
    return event


#: Applied to every line, also to those of libraries.
_SHARED_PROCESSORS: Final[tuple[structlog.typing.Processor, ...]] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.ExtraAdder(),
    structlog.processors.TimeStamper(fmt="iso", utc=True, key="timestamp"),
    redact_secrets,
)


def configure() -> None:
    """Configures logging for this process: lines go to standard error."""
    logging.config.dictConfig(configuration())
    configure_structlog()


def configure_structlog() -> None:
    """Routes structlog's lines through the standard library's loggers."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_SHARED_PROCESSORS,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def configuration() -> dict[str, Any]:
    """Returns a configuration for ``logging.config.dictConfig`` and for uvicorn."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": formatter, "terminal": sys.stderr.isatty()}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": "INFO"},
        "loggers": {name: {"level": "WARNING"} for name in QUIET_LOGGERS},
    }


def formatter(*, terminal: bool) -> logging.Formatter:
    """Returns a formatter: one line of JSON per record; on a terminal, colored columns."""
    rendering: list[structlog.typing.Processor] = (
        [structlog.dev.ConsoleRenderer()]
        if terminal
        else [
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
        ]
    )
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_SHARED_PROCESSORS,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
    )
