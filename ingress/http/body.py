"""Reads a request's body: no more of it than the limit. The server's protocol has the deadline."""

from starlette.requests import Request

from ingress.errors import BodyTooLargeError, ClientGoneError


async def read_body(request: Request, limit: int) -> bytes:
    """The raw body, at most ``limit`` bytes of it whatever Content-Length says.

    Raises BodyTooLargeError, or ClientGoneError when the sender hung up or was too slow.
    """
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise _too_large(limit)
    first, more = await _chunk(request)
    if not more:
        if len(first) > limit:
            raise _too_large(limit)
        return first
    body = bytearray(first)
    while more:
        if len(body) > limit:
            raise _too_large(limit)
        chunk, more = await _chunk(request)
        body += chunk
    if len(body) > limit:
        raise _too_large(limit)
    return bytes(body)


async def _chunk(request: Request) -> tuple[bytes, bool]:
    message = await request.receive()
    if message["type"] != "http.request":
        raise ClientGoneError
    return message.get("body", b""), message.get("more_body", False)


def _too_large(limit: int) -> BodyTooLargeError:
    return BodyTooLargeError(f"A body has at most {limit} bytes.")
