"""The options of uvicorn that do not depend on the application or its address."""

from collections.abc import Mapping
from typing import Any, Final

from runtime import logs

GRACE_S: Final = 10


def uvicorn_options() -> Mapping[str, Any]:
    """Returns keyword arguments for ``uvicorn.run`` and ``uvicorn.Config``."""
    return {
        "loop": "uvloop",
        "http": "ingress.http.protocol:IngressProtocol",
        "ws": "none",
        "lifespan": "on",
        "access_log": False,
        "server_header": False,
        "proxy_headers": False,
        "log_config": logs.configuration(),
        "timeout_graceful_shutdown": GRACE_S,
    }
