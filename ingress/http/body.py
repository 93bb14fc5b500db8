"""Reads a request's body up to a size limit. ``ingress.http.protocol`` has the deadline."""

from starlette.requests import Request

from ingress.errors import BodyTooLargeError, ClientGoneError


async def read_body(request: Request, limit: int) -> bytes:
    """Returns the raw body, of at most ``limit`` bytes.

    Raises BodyTooLargeError, or ClientGoneError if the client disconnected or was too slow.
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
    return BodyTooLargeError(f"Send a body of at most {limit} bytes.")
