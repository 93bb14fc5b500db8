"""The uvicorn internals that the ingress's protocol relies on are unchanged."""

import hashlib
import inspect
from typing import Any, Final

import httptools
import pytest
from uvicorn.protocols.http import flow_control, httptools_impl
from uvicorn.server import Server

from ingress.http.protocol import IngressProtocol

_Protocol: Final = httptools_impl.HttpToolsProtocol

#: Everything inherited, called or copied, with the first digits of its source's SHA-256.
RELIED_ON: Final[dict[str, tuple[Any, str]]] = {
    "HttpToolsProtocol.__init__": (_Protocol.__init__, "4f0899941034"),
    "HttpToolsProtocol.connection_made": (_Protocol.connection_made, "6efb565ff3d3"),
    "HttpToolsProtocol.connection_lost": (_Protocol.connection_lost, "c91a4c9bf2e2"),
    "HttpToolsProtocol.eof_received": (_Protocol.eof_received, "5652627579a0"),
    "HttpToolsProtocol.data_received": (_Protocol.data_received, "010a7ae59a5d"),
    "HttpToolsProtocol.on_message_begin": (_Protocol.on_message_begin, "96d377fdc7c2"),
    "HttpToolsProtocol.on_headers_complete": (_Protocol.on_headers_complete, "1ea8589acfad"),
    "HttpToolsProtocol.on_body": (_Protocol.on_body, "dba9c32aeba3"),
    "HttpToolsProtocol.on_message_complete": (_Protocol.on_message_complete, "1fbad42dc31f"),
    "HttpToolsProtocol.on_response_complete": (_Protocol.on_response_complete, "64e254f28e38"),
    "HttpToolsProtocol._start_asgi_task": (_Protocol._start_asgi_task, "9c08c2571ae9"),
    "HttpToolsProtocol.shutdown": (_Protocol.shutdown, "d7351fa33f00"),
    "HttpToolsProtocol.pause_writing": (_Protocol.pause_writing, "17a8fd215d96"),
    "HttpToolsProtocol.resume_writing": (_Protocol.resume_writing, "7844bbaa8cce"),
    "RequestResponseCycle": (httptools_impl.RequestResponseCycle, "e67d470d435d"),
    "FlowControl": (flow_control.FlowControl, "126debcdaa89"),
    "Server.startup": (Server.startup, "2aa1d70a244b"),
    "Server.shutdown": (Server.shutdown, "9b33c5056299"),
}


@pytest.mark.parametrize("name", RELIED_ON)
def test_the_uvicorn_internals_are_unchanged(name: str) -> None:
    """After a change, compare it with ``ingress/http/protocol.py``, then update the digits."""
    part, digits = RELIED_ON[name]
    found = hashlib.sha256(inspect.getsource(part).encode()).hexdigest()[:12]
    assert found == digits, f"uvicorn changed {name}"


def test_the_uvicorn_protocol_has_no_new_methods() -> None:
    """A method or callback that an update adds must be reviewed too."""
    inherited = {name for name in vars(_Protocol) if not name.startswith("__")}
    assert inherited == {
        "_get_upgrade",
        "_should_upgrade",
        "_should_upgrade_to_ws",
        "_start_asgi_task",
        "_unset_keepalive_if_required",
        "_unsupported_upgrade_warning",
        "connection_lost",
        "connection_made",
        "data_received",
        "eof_received",
        "handle_websocket_upgrade",
        "on_body",
        "on_header",
        "on_headers_complete",
        "on_message_begin",
        "on_message_complete",
        "on_response_complete",
        "on_url",
        "pause_writing",
        "resume_writing",
        "send_400_response",
        "shutdown",
        "timeout_keep_alive_handler",
    }
    assert issubclass(IngressProtocol, _Protocol)


def test_httptools_still_drops_the_body_after_an_offer_to_upgrade() -> None:
    """This is the reason for our own reader. If it fails, the reader may no longer be needed."""

    class Collector:
        body = b""

        def on_body(self, body: bytes) -> None:
            self.body += body

    collector = Collector()
    parser = httptools.HttpRequestParser(collector)
    with pytest.raises(httptools.HttpParserUpgrade):
        parser.feed_data(
            b"POST / HTTP/1.1\r\nHost: i\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n"
            b"Content-Length: 4\r\n\r\nbody"
        )
    assert collector.body == b""
