"""Uvicorn's HTTP protocol with our own request reader, deadlines and limits.

Uvicorn runs the application, and does flow control and shutdown. Its parser, httptools, is not
used: it loses the body of a request that offers an upgrade, confuses trailers with headers, and has
no limits. ``tests/hostile/sockets/test_uvicorn.py`` fails when an internal of uvicorn changes that
this module relies on.

A connection handles one request at a time. Pipelined requests wait until the answer is sent.
"""

import asyncio
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import unquote

from uvicorn._types import ASGISendEvent
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)
from uvicorn.server import ServerState

from ingress.errors import (
    PROBLEM_MEDIA_TYPE,
    HeadTooLargeError,
    IngressError,
    MalformedRequestError,
    SlowBodyError,
    SlowHeadError,
    TooManyConnectionsError,
)
from ingress.http.connections import LINGER_S, NEVER, STATE_KEY, Connections
from ingress.http.head import Head
from ingress.http.reader import RequestReader
from ingress.http.request_id import HEADER, REQUEST_ID, new_request_id

#: How much of an unwanted body is read and dropped, so that its sender gets to read the answer.
DISCARDED_BYTES_MAX: Final = 1_048_576


# The phases of a connection. Plain numbers, because an enum's members cost a look-up each time.
_IDLE: Final = 0  # between requests
_IN_HEAD: Final = 1  # a part of a head has arrived, or the connection is new
_IN_BODY: Final = 2  # the head is complete, the application runs
_BUSY: Final = 3  # the request is complete, the answer is not
_CLOSING: Final = 4


class _ExpectingCycle(RequestResponseCycle):
    """A request with ``Expect: 100-continue``: the client waits before it sends the body."""

    async def send(self, message: ASGISendEvent) -> None:
        """Sends a message. An answer before ``100 Continue`` ends the connection.

        The client may or may not send the body then, so the next request could not be found.
        """
        if self.waiting_for_100_continue and self.more_body:
            self.keep_alive = False
        await super().send(message)


class IngressProtocol(HttpToolsProtocol):
    """For uvicorn's option ``http``. The lifespan state must have a ``Connections``."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.parser = None  # type: ignore[assignment]  # nothing may use uvicorn's parser
        self._connections: Connections = app_state[STATE_KEY]
        self._limits = self._connections.limits
        self._reader = RequestReader(self._limits.head_bytes)
        self._phase: int = _IN_HEAD
        self._discarded = 0
        self._close_reason = "client"
        self.deadline = NEVER

    # Called by the transport

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Starts the connection, which may be refused at once."""
        super().connection_made(transport)
        self._set_deadline(self._limits.head_s)
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Counts the connection as closed."""
        super().connection_lost(exc)
        self._phase = _CLOSING
        self._connections.remove(self, self._close_reason)

    def data_received(self, data: bytes) -> None:
        """Reads what arrived, or keeps it until the current request is answered."""
        if self._phase == _CLOSING:
            self._discard(len(data))
            return
        self._reader.feed(data)
        if self._phase == _BUSY:
            self.flow.pause_reading()
        else:
            self._read()

    def pause_writing(self) -> None:
        """The client reads an answer too slowly: it gets a deadline."""
        super().pause_writing()
        if self._phase == _BUSY:
            self._set_deadline(self._limits.response_s)
            self._connections.mark_waiting(self)

    def resume_writing(self) -> None:
        """The client has caught up."""
        super().resume_writing()
        if self._phase == _BUSY:
            self.deadline = NEVER
            self._connections.mark_busy(self)
        elif self._phase == _IDLE:
            self._set_deadline(self._limits.keep_alive_s)

    # Called by uvicorn

    def on_response_complete(self) -> None:
        """Goes on to the next request once an answer is written."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            if self._phase != _CLOSING:
                self._close("answered")
        elif self._phase == _IN_BODY:
            self.flow.resume_reading()  # the rest of the body is discarded
        else:
            self._wait_for_next()

    def shutdown(self) -> None:
        """Closes the connection, after the answer to the current request if there is one."""
        self._connections.shut_down()
        if self._phase == _CLOSING:
            return
        if self.cycle is None or self.cycle.response_complete:
            self._close("shutdown")
        else:
            self.cycle.keep_alive = False

    # Called by ``Connections``

    def expire(self) -> None:
        """Ends the connection: its client was too slow."""
        if self._phase == _CLOSING or self.flow.write_paused:
            unsent = self.transport.get_write_buffer_size()
            self.abort("response_timeout" if unsent else None)
        elif self._phase == _IN_BODY:
            fix = f"Send the whole body within {self._limits.body_s:g} s."
            self._refuse_request("body_timeout", SlowBodyError(fix))
        elif self._phase == _IN_HEAD and self._reader.pending:
            fix = f"Send the whole head within {self._limits.head_s:g} s."
            self._refuse_request("head_timeout", SlowHeadError(fix))
        elif self._phase == _IN_HEAD:
            self._close("head_timeout")
        else:
            self._close("idle")

    def evict(self) -> None:
        """Ends the connection to make room for another one."""
        if self._phase in {_BUSY, _CLOSING} or self.transport.get_write_buffer_size():
            # The client is not reading its answer.
            self.abort("evicted")
        elif self._phase == _IN_BODY or self._reader.pending:
            self._refuse_request("evicted", _too_many_connections(), linger=False)
        else:
            self._close("evicted")
            self._connections.mark_closing(self)

    def refuse(self) -> None:
        """Refuses the connection because there is no room."""
        self._refuse_request("refused", _too_many_connections())

    def abort(self, reason: str | None = None) -> None:
        """Closes the socket at once."""
        self._close_reason = reason or self._close_reason
        self._detach_application()
        self._connections.discard(self)
        self.transport.abort()

    # Reading

    def _read(self) -> None:
        try:
            head = None
            if self._phase != _IN_BODY:
                head = self._reader.head()
                if head is None:
                    self._await_head()
                    return
            body, complete = self._reader.body()
        except MalformedRequestError as error:
            self._refuse_request("malformed", error)
            return
        except HeadTooLargeError as error:
            self._refuse_request("head_too_large", error)
            return
        if head is not None:
            self._start_request(head)
        self._forward_body(body, complete=complete)
        if complete:
            self._complete_request()
        elif head is not None:
            self._phase = _IN_BODY
            self._set_deadline(self._limits.body_s)
            self._connections.mark_waiting(self)

    def _await_head(self) -> None:
        if self._phase == _IDLE and self._reader.pending:
            self._phase = _IN_HEAD
            self._set_deadline(self._limits.head_s)

    def _start_request(self, head: Head) -> None:
        """Runs the application for the request, as uvicorn would."""
        raw_path = head.path
        path = raw_path.decode("ascii")
        self.scope = {
            "type": "http",
            "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
            "http_version": head.version,
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme or "http",
            "method": head.method,
            "root_path": self.root_path,
            "path": self.root_path + (unquote(path) if "%" in path else path),
            "raw_path": self.root_path.encode("ascii") + raw_path,
            "query_string": head.query,
            "headers": head.headers,
            "state": self.app_state.copy(),
        }
        self._discarded = 0
        kind = _ExpectingCycle if head.expects_continue else RequestResponseCycle
        self.cycle = kind(
            scope=self.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=head.expects_continue,
            keep_alive=head.keep_alive,
            on_response=self.on_response_complete,
        )
        self._start_asgi_task(self.cycle, self.app)

    def _forward_body(self, body: bytes, *, complete: bool) -> None:
        cycle = self.cycle
        if cycle.response_complete:
            self._discard(len(body))
            return
        if body:
            cycle.body += body
            if len(cycle.body) > HIGH_WATER_LIMIT:
                self.flow.pause_reading()
        if complete:
            cycle.more_body = False
        if body or complete:
            cycle.message_event.set()

    def _complete_request(self) -> None:
        if self._phase == _CLOSING:
            return
        if self.cycle.response_complete:
            self._wait_for_next()
            return
        self._phase = _BUSY
        if not self.flow.write_paused:  # otherwise the last answer's deadline still runs
            self.deadline = NEVER
            self._connections.mark_busy(self)
        if self._reader.pending:
            self.flow.pause_reading()

    def _wait_for_next(self) -> None:
        self._phase = _IDLE
        slow = self.flow.write_paused
        self._set_deadline(self._limits.response_s if slow else self._limits.keep_alive_s)
        self._connections.mark_waiting(self)
        self.flow.resume_reading()
        if self._reader.pending:
            self._read()

    def _discard(self, size: int) -> None:
        self._discarded += size
        if self._discarded > DISCARDED_BYTES_MAX:
            self.abort("discarded" if self._phase != _CLOSING else None)

    # Ending

    def _set_deadline(self, seconds: float) -> None:
        self.deadline = self.loop.time() + seconds

    def _close(self, reason: str) -> None:
        """Closes the connection once everything written is sent, or at the deadline."""
        self._close_reason = reason
        self._phase = _CLOSING
        self._set_deadline(self._limits.response_s)
        self.transport.close()
        self._connections.mark_waiting(self)

    def _refuse_request(self, reason: str, error: IngressError, *, linger: bool = True) -> None:
        """Answers an incomplete request with an error, and closes the connection.

        To close a socket with unread data may discard the answer on its way. So the connection
        lingers and drops what still arrives.
        """
        has_begun = self._phase == _IN_BODY
        answered = self._detach_application()
        self._close_reason = reason
        self._discarded = 0
        if not answered:
            own_id = self.scope["state"].get(REQUEST_ID) if has_begun else None
            answer = _problem_bytes(error, own_id, self.server_state.default_headers)
            self.transport.write(answer)
        if linger and not answered and self.transport.can_write_eof():
            self.transport.write_eof()
            self.flow.resume_reading()
        else:
            self.transport.close()
        self._set_deadline(LINGER_S)
        self._connections.mark_closing(self)

    def _detach_application(self) -> bool:
        """Disconnects the application. Returns whether it had begun to answer."""
        answered = self._phase == _IN_BODY and self.cycle.response_started
        self._phase = _CLOSING
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        return answered


def _too_many_connections() -> TooManyConnectionsError:
    return TooManyConnectionsError("The server has too many connections. Connect again later.")


def _problem_bytes(
    error: IngressError, own_id: str | None, default_headers: list[tuple[bytes, bytes]]
) -> bytes:
    """Returns the bytes of a complete response, as the application would write it."""
    body = error.problem().model_dump_json(exclude_defaults=True).encode()
    headers = [
        *default_headers,
        (b"content-type", PROBLEM_MEDIA_TYPE.encode()),
        (b"content-length", b"%d" % len(body)),
        (b"x-content-type-options", b"nosniff"),
        (b"cache-control", b"no-store"),
        (HEADER, (own_id or new_request_id()).encode()),
        (b"connection", b"close"),
        *((name.lower().encode(), value.encode()) for name, value in error.headers.items()),
    ]
    lines = b"".join(b"%s: %s\r\n" % header for header in headers)
    return STATUS_LINE[HTTPStatus(error.status)] + lines + b"\r\n" + body
