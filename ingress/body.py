"""Reads a request's body: no more of it than the limit, and no longer than the deadline."""

import asyncio
import re
from typing import Final, TypeVar

from pydantic import ValidationError
from starlette.requests import Request

from ingress.errors import (
    BodyTooLargeError,
    ClientGoneError,
    InvalidFieldsError,
    MalformedBodyError,
    SlowBodyError,
    UnsupportedMediaTypeError,
)
from ingress.problems import field_problems
from schemas.model import Model

BODY_DEADLINE_S: Final = 10.0
_JSON: Final = re.compile(r"application/json\s*(;.*)?", re.IGNORECASE)

M = TypeVar("M", bound=Model)


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


async def read_model(request: Request, model: type[M], limit: int) -> M:
    """The JSON body as ``model``. An empty body is ``{}``: some operations need no fields.

    Raises what ``read_body`` raises, UnsupportedMediaTypeError, MalformedBodyError or
    InvalidFieldsError naming every wrong field.
    """
    body = await read_body(request, limit)
    if body and not _JSON.fullmatch(request.headers.get("content-type", "")):
        raise UnsupportedMediaTypeError(
            "Send JSON with the header 'Content-Type: application/json'."
        )
    try:
        return model.model_validate_json(body or b"{}")
    except ValidationError as error:
        raise _refusal(error) from None


def _refusal(error: ValidationError) -> Exception:
    found = error.errors(include_url=False, include_input=False)
    if any(each["type"] == "json_invalid" for each in found):
        return MalformedBodyError(f"The body is not JSON: {found[0]['msg'].lower()}.")
    return invalid_fields(error)


def invalid_fields(error: ValidationError) -> InvalidFieldsError:
    """What pydantic says of a body, as a problem that names each field and its fix."""
    found = error.errors(include_url=False, include_input=False)
    return InvalidFieldsError("See errors for each field.", field_problems(found))
