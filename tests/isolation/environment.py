"""The environment of a test session: nothing in it decides how a test ends."""

from collections.abc import MutableMapping
from typing import Final

#: What the service, its libraries and the programs of the sandbox read by themselves.
PREFIXES: Final = (
    "PAYMENTS_",
    "COMPOSE_",
    "FAUST_",
    "F_",  # Faust's other prefix
    "KAFKA_",
    "LOG4J",
    "MODE_",
    "PG",
    "PROMETHEUS_",
    "PYTHON",
    "STRIPE_",
    "UVICORN_",
)
NAMES: Final = frozenset(
    {
        "CLASSPATH",
        "FORWARDED_ALLOW_IPS",
        "JAVA_TOOL_OPTIONS",
        "JDK_JAVA_OPTIONS",
        "WEB_CONCURRENCY",
        "_JAVA_OPTIONS",
    }
)
#: What a person may choose for the tests themselves.
KEPT: Final = ("PAYMENTS_TEST_",)
#: `host:port` of a broker and the URL of a database, where a session shall not start its own.
SERVERS: Final = "PAYMENTS_TEST_SERVERS"
#: A proxy is for downloads; what the tests start is on this machine.
LOOPBACK: Final = "127.0.0.1,localhost,::1"


def clean(environment: MutableMapping[str, str]) -> None:
    """Remove, from this process and those it starts, what would change how a test ends.

    Variables are read in any case by some, so they are removed in any case.
    """
    for name in tuple(environment):
        upper = name.upper()
        chosen = upper.startswith(PREFIXES) or upper in NAMES
        if chosen and not upper.startswith(KEPT):
            del environment[name]
    for name in ("NO_PROXY", "no_proxy"):
        given = environment.get(name)
        environment[name] = f"{given},{LOOPBACK}" if given else LOOPBACK
