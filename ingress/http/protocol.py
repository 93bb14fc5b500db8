"""Uvicorn's protocol with a reader, deadlines and limits of our own.

From uvicorn come the request's life in the application, flow control and shutdown. Not its parser:
httptools ends a message at the head of a request that offers an upgrade, so that its body is lost;
it can't tell a trailer from a header, counts nothing and never gives up. What is relied on inside
uvicorn is named in ``tests/hostile/sockets/test_uvicorn.py``, which fails when it changes.

One request at a time: what a client sends behind it is not looked at before the answer is out.
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

#: A body that nobody reads any more is taken up to here, so that its sender gets to the answer.
DISCARDED_BYTES_MAX: Final = 1_048_576


# Plain numbers: members of an enum cost a look-up each time.
_IDLE: Final = 0  # nothing has arrived of the next request
_IN_HEAD: Final = 1  # a part of its head has, or the connection is new
_IN_BODY: Final = 2  # its head is complete, the application has it
_BUSY: Final = 3  # it is complete and not answered yet
_CLOSING: Final = 4


class _ExpectingCycle(RequestResponseCycle):
    """A request whose client waits for ``100 Continue`` before it sends the body."""

    async def send(self, message: ASGISendEvent) -> None:
        """An answer without having asked for the body: nobody knows whether it comes."""
        if self.waiting_for_100_continue and self.more_body:
            self.keep_alive = False
        await super().send(message)


class IngressProtocol(HttpToolsProtocol):
    """For uvicorn's ``http``. The application's lifespan state has a ``Connections``."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.parser = None  # type: ignore[assignment]  # nothing here may ask it
        self._connections: Connections = app_state[STATE_KEY]
        self._limits = self._connections.limits
        self._reader = RequestReader(self._limits.head_bytes)
        self._phase: int = _IN_HEAD
        self._discarded = 0
        self._end = "client"
        self.deadline = NEVER

    # What the transport calls

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """It begins, and may have to end at once."""
        super().connection_made(transport)
        self._set_deadline(self._limits.head_s)
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        super().connection_lost(exc)
        self._phase = _CLOSING
        self._connections.remove(self, self._end)

    def data_received(self, data: bytes) -> None:
        """Reads on, unless there is a request to be answered first."""
        if self._phase == _CLOSING:
            self._discard(len(data))
            return
        self._reader.feed(data)
        if self._phase == _BUSY:
            self.flow.pause_reading()
        else:
            self._read()

    def pause_writing(self) -> None:
        """The client takes an answer more slowly than it is written: it is its turn."""
        super().pause_writing()
        if self._phase == _BUSY:
            self._set_deadline(self._limits.response_s)
            self._connections.mark_waiting(self)

    def resume_writing(self) -> None:
        """It goes on."""
        super().resume_writing()
        if self._phase == _BUSY:
            self.deadline = NEVER
            self._connections.mark_busy(self)
        elif self._phase == _IDLE:
            self._set_deadline(self._limits.keep_alive_s)

    # What uvicorn calls

    def on_response_complete(self) -> None:
        """An answer is written: on to the next request."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            if self._phase != _CLOSING:
                self._close("answered")
        elif self._phase == _IN_BODY:
            self.flow.resume_reading()  # what is left of the body is discarded
        else:
            self._wait_for_next()

    def shutdown(self) -> None:
        """The server ends: so does this, as soon as the request that is there is answered."""
        if self._phase == _CLOSING:
            return
        if self.cycle is None or self.cycle.response_complete:
            self._close("shutdown")
        else:
            self.cycle.keep_alive = False

    # What ``Connections`` calls

    def expire(self) -> None:
        """The client had its time."""
        if self._phase == _CLOSING or self.flow.write_paused:
            unsent = self.transport.get_write_buffer_size()
            self.abort("response_timeout" if unsent else None)
        elif self._phase == _IN_BODY:
            slow = f"Send the whole body within {self._limits.body_s:g} s."
            self._refuse_request("body_timeout", SlowBodyError(slow))
        elif self._phase == _IN_HEAD and self._reader.pending:
            slow = f"Send the whole head within {self._limits.head_s:g} s."
            self._refuse_request("head_timeout", SlowHeadError(slow))
        elif self._phase == _IN_HEAD:
            self._close("head_timeout")
        else:
            self._close("idle")

    def evict(self) -> None:
        """Another one is to have this place."""
        if self._phase in {_BUSY, _CLOSING} or self.transport.get_write_buffer_size():
            # it does not take its answer
            self.abort("evicted")
        elif self._phase == _IN_BODY or self._reader.pending:
            self._refuse_request("evicted", _too_many_connections(), linger=False)
        else:
            self._close("evicted")
            self._connections.mark_closing(self)

    def refuse(self) -> None:
        """There is no place for this one."""
        self._refuse_request("refused", _too_many_connections())

    def abort(self, end: str | None = None) -> None:
        """At once, without another word."""
        self._end = end or self._end
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
        """Gives the request to the application, as uvicorn would."""
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
        if not self.flow.write_paused:  # else the last answer is still to be taken, in its time
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

    def _close(self, end: str) -> None:
        """Ends once what was written is sent, or the client had its time to take it."""
        self._end = end
        self._phase = _CLOSING
        self._set_deadline(self._limits.response_s)
        self.transport.close()
        self._connections.mark_waiting(self)

    def _refuse_request(self, end: str, error: IngressError, *, linger: bool = True) -> None:
        """Refuses what is there of a request, and ends.

        Closing a socket with unread data in it takes the answer back, so what still arrives is
        read for a while.
        """
        has_begun = self._phase == _IN_BODY
        answered = self._detach_application()
        self._end = end
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
        """Disconnects the application from its client; returns whether it had begun to answer."""
        answered = self._phase == _IN_BODY and self.cycle.response_started
        self._phase = _CLOSING
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        return answered


def _too_many_connections() -> TooManyConnectionsError:
    return TooManyConnectionsError("This server has no room for the connection. Connect again.")


def _problem_bytes(
    error: IngressError, own_id: str | None, default_headers: list[tuple[bytes, bytes]]
) -> bytes:
    """A whole response: the problem as the application would write it."""
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
