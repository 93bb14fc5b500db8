"""How uvicorn serves, whatever it serves and wherever."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from ingress.logs import LOG_CONFIG

GRACE_S: Final = 10
SERVING: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "loop": "uvloop",
        "http": "ingress.http.protocol:IngressProtocol",
        "ws": "none",
        "lifespan": "on",
        "access_log": False,
        "server_header": False,
        "proxy_headers": False,
        "log_config": LOG_CONFIG,
        "timeout_graceful_shutdown": GRACE_S,
    }
)
