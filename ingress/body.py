"""Reads a request's body: no more of it than the limit, and no longer than the deadline."""

import asyncio
from typing import Final

from starlette.requests import Request

from ingress.errors import (
    BodyTooLargeError,
    ClientGoneError,
    SlowBodyError,
)

BODY_DEADLINE_S: Final = 10.0


async def read_body(request: Request, limit: int) -> bytes:
    """The raw body, at most ``limit`` bytes of it whatever Content-Length says.

    Raises BodyTooLargeError, SlowBodyError, or ClientGoneError when the sender hung up.
    """
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise _too_large(limit)
    first, more = await _chunk(request)
    if not more:
        if len(first) > limit:
            raise _too_large(limit)
        return first
    try:
        async with asyncio.timeout(BODY_DEADLINE_S):
            return await _read_on(request, first, limit)
    except TimeoutError:
        raise SlowBodyError(f"Send the whole body within {BODY_DEADLINE_S:g} s.") from None


async def _read_on(request: Request, first: bytes, limit: int) -> bytes:
    body, more = bytearray(first), True
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
