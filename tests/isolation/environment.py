"""Cleans the environment of a test session, so that no variable affects a test's result."""

from collections.abc import MutableMapping
from typing import Final

#: Prefixes of variables that the service, its libraries and the sandbox read.
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
#: Prefixes of variables that configure the tests themselves.
KEPT: Final = ("PAYMENTS_TEST_",)
#: `host:port` of a broker and the URL of a database, for sessions that must not start their own.
SERVERS: Final = "PAYMENTS_TEST_SERVERS"
#: Hosts without a proxy: the tests' own servers; a proxy is for downloads only.
LOOPBACK: Final = "127.0.0.1,localhost,::1"


def clean(environment: MutableMapping[str, str]) -> None:
    """Remove the variables that would affect a test's result, for this process and its children.

    Some libraries ignore the case of names, so variables are removed in any case.
    """
    for name in tuple(environment):
        upper = name.upper()
        chosen = upper.startswith(PREFIXES) or upper in NAMES
        if chosen and not upper.startswith(KEPT):
            del environment[name]
    for name in ("NO_PROXY", "no_proxy"):
        given = environment.get(name)
        environment[name] = f"{given},{LOOPBACK}" if given else LOOPBACK
