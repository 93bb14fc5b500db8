"""Reads a JSON request: an object in UTF-8 that says what it is, or an error that names the fix."""

import json
from collections.abc import Sequence
from typing import Any, Final, NoReturn, TypeVar

from pydantic import ValidationError
from starlette.datastructures import Headers
from starlette.requests import Request

from ingress.cards import fields_with_card_numbers
from ingress.errors import InvalidFieldsError, MalformedBodyError, UnsupportedMediaTypeError
from ingress.http.body import read_body
from ingress.http.problems import field_problems, shown_name
from schemas.http import FieldProblem
from schemas.model import Model

_MEDIA_TYPE: Final = "application/json"
_CHARSETS: Final = frozenset({"utf-8", "utf8"})

M = TypeVar("M", bound=Model)


async def read_model(request: Request, model: type[M], limit: int) -> M:
    """The JSON object in the body as ``model``. An absent body is an error, never ``{}``.

    Raises what ``read_body`` raises, UnsupportedMediaTypeError, MalformedBodyError or
    InvalidFieldsError naming every wrong field.
    """
    refuse_encoded(request.headers)
    body = await read_body(request, limit)
    refuse_cut_off(request.headers, body)
    if not body:
        raise MalformedBodyError(
            "There is no body. Send a JSON object; without any field it is {}."
        )
    if not _is_json(request.headers.getlist("content-type")):
        raise UnsupportedMediaTypeError(
            "Send JSON in UTF-8 with the header 'Content-Type: application/json'."
        )
    return parse(body, model)


def _is_json(content_types: Sequence[str]) -> bool:
    """Whether there is one Content-Type, of JSON, and in UTF-8 where it names a charset."""
    if len(content_types) != 1:
        return False
    media_type, *parameters = (part.strip().lower() for part in content_types[0].split(";"))
    named = (parameter.partition("=") for parameter in parameters)
    charsets = {value.strip().strip('"') for name, _, value in named if name.strip() == "charset"}
    return media_type == _MEDIA_TYPE and charsets <= _CHARSETS


def refuse_encoded(headers: Headers) -> None:
    """Raises UnsupportedMediaTypeError where the body is compressed: its bytes are read as sent."""
    codings = ",".join(headers.getlist("content-encoding"))
    if any(coding.strip().lower() not in {"", "identity"} for coding in codings.split(",")):
        raise UnsupportedMediaTypeError("Send the body as it is, without a Content-Encoding.")


def refuse_cut_off(headers: Headers, body: bytes) -> None:
    """Raises MalformedBodyError where another number of bytes came than Content-Length says."""
    declared = headers.get("content-length", "")
    if declared.isdecimal() and int(declared) != len(body):
        raise MalformedBodyError(
            f"Content-Length says {int(declared)} bytes, but {len(body)} came. Send it again."
        )


def parse(body: bytes, model: type[M]) -> M:
    """JSON text as ``model``. Raises MalformedBodyError, InvalidFieldsError."""
    _check_text(body)
    try:
        found = model.model_validate_json(body)
    except ValidationError as error:
        raise _body_error(error) from None
    # what the model took is of limited size
    named = fields_with_card_numbers(found.model_dump(mode="json"))
    if named:
        raise card_number_error(named)
    return found


def _check_text(body: bytes) -> None:
    """What pydantic's parser lets pass: a name that comes twice, and numbers that aren't JSON.

    Of two values under one name a proxy, a log and this service could each believe another one.
    """
    try:
        json.loads(
            body.decode(),
            object_pairs_hook=_without_repeated_names,
            parse_constant=_no_number,
            # only the names matter here; Python refuses to convert a very long number
            parse_int=len,
            parse_float=len,
        )
    except UnicodeDecodeError:
        raise MalformedBodyError("The body is not UTF-8.") from None
    except json.JSONDecodeError as error:
        raise MalformedBodyError(
            f"The body is not JSON: {error.msg.lower()} at line {error.lineno} "
            f"column {error.colno}."
        ) from None
    except RecursionError:
        raise MalformedBodyError("The body is nested too deeply.") from None


def card_number_error(fields: Sequence[str]) -> InvalidFieldsError:
    """The refusal of card numbers in these fields. It does not repeat them."""
    problem = "Holds a card number; remove it, and send the provider's payment method token"
    return InvalidFieldsError(
        "Card numbers are not accepted in any field.",
        [FieldProblem(field=field, problem=problem) for field in fields],
    )


def _without_repeated_names(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise MalformedBodyError(
            f"The field {shown_name(repeated)!r} comes more than once in one object. Send it once."
        )
    return found


def _no_number(constant: str) -> NoReturn:
    raise MalformedBodyError(f"The body is not JSON: {constant} is no JSON number.")


def _body_error(error: ValidationError) -> Exception:
    found = error.errors(include_url=False, include_input=False)
    if any(each["type"] == "json_invalid" for each in found):
        return MalformedBodyError(f"The body is not JSON: {found[0]['msg'].lower()}.")
    return invalid_fields(error)


def invalid_fields(error: ValidationError) -> InvalidFieldsError:
    """What pydantic says of a body, as a problem that names each field and its fix."""
    found = error.errors(include_url=False, include_input=False)
    return InvalidFieldsError("See errors for each field.", field_problems(found))
