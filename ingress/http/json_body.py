"""Reads and checks JSON request bodies. Every error names the fix."""

import json
import re
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
#: Most digits of a number that is read at all.
_DIGITS_MAX: Final = 1_000
_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")
_HALF: Final = "half of a character (an unpaired surrogate, \\ud800 to \\udfff)"
_CHARSETS: Final = frozenset({"utf-8", "utf8"})

M = TypeVar("M", bound=Model)


async def read_model(request: Request, model: type[M], limit: int) -> M:
    """Returns the JSON object in the body as ``model``. An absent body is an error, never ``{}``.

    Raises UnsupportedMediaTypeError, MalformedBodyError, InvalidFieldsError, and what ``read_body``
    raises.
    """
    refuse_encoded(request.headers)
    body = await read_body(request, limit)
    refuse_cut_off(request.headers, body)
    if not body:
        raise MalformedBodyError(
            "The body is missing. Send a JSON object. Without any field it is {}."
        )
    if not _is_json(request.headers.getlist("content-type")):
        raise UnsupportedMediaTypeError(
            "Send JSON in UTF-8 with the header 'Content-Type: application/json'."
        )
    return parse(body, model)


def _is_json(content_types: Sequence[str]) -> bool:
    """Returns whether there is exactly one Content-Type, of JSON, in UTF-8 if it has a charset."""
    if len(content_types) != 1:
        return False
    media_type, *parameters = (part.strip().lower() for part in content_types[0].split(";"))
    named = (parameter.partition("=") for parameter in parameters)
    charsets = {value.strip().strip('"') for name, _, value in named if name.strip() == "charset"}
    return media_type == _MEDIA_TYPE and charsets <= _CHARSETS


def refuse_encoded(headers: Headers) -> None:
    """Raises UnsupportedMediaTypeError if the body is compressed, because it is read as sent."""
    codings = ",".join(headers.getlist("content-encoding"))
    if any(coding.strip().lower() not in {"", "identity"} for coding in codings.split(",")):
        raise UnsupportedMediaTypeError("Send the body uncompressed, without a Content-Encoding.")


def refuse_cut_off(headers: Headers, body: bytes) -> None:
    """Raises MalformedBodyError if the body does not have the size that Content-Length declares."""
    declared = headers.get("content-length", "")
    if declared.isdecimal() and int(declared) != len(body):
        raise MalformedBodyError(
            f"Content-Length declares {int(declared)} bytes, but {len(body)} came. Send it again."
        )


def parse(body: bytes, model: type[M]) -> M:
    """Returns JSON text as ``model``. Raises MalformedBodyError or InvalidFieldsError."""
    _check_text(body)
    try:
        found = model.model_validate_json(body)
    except ValidationError as error:
        raise _body_error(error) from None
    # After validation, because the model limits the size of what is searched.
    named = fields_with_card_numbers(found.model_dump(mode="json"))
    if named:
        raise card_number_error(named)
    return found


def _check_text(body: bytes) -> None:
    """Refuses what pydantic's parser accepts: repeated names, and constants that are not JSON.

    Two programs may read different values from a repeated name. Names the fields of texts and
    numbers that pydantic's parser would refuse without a name. Raises MalformedBodyError or
    InvalidFieldsError.
    """
    try:
        json.loads(
            body.decode(),
            object_pairs_hook=_without_repeated_names,
            parse_constant=_refuse_constant,
            # Only names matter here, and Python refuses to convert very long numbers.
            parse_int=_number,
            parse_float=len,
        )
    except UnicodeDecodeError:
        raise MalformedBodyError("The body is not in UTF-8. Encode it in UTF-8.") from None
    except json.JSONDecodeError as error:
        raise MalformedBodyError(
            f"The body is not JSON: {error.msg.lower()} at line {error.lineno} "
            f"column {error.colno}."
        ) from None
    except RecursionError:
        raise MalformedBodyError("The body is nested too deeply. Send a flat object.") from None


def card_number_error(fields: Sequence[str]) -> InvalidFieldsError:
    """Returns the error for card numbers in these fields. It does not repeat the numbers."""
    problem = "Remove the card number, and send the provider's payment method token instead"
    return InvalidFieldsError(
        "Card numbers are not accepted in any field.",
        [FieldProblem(field=field, problem=problem) for field in fields],
    )


class _TooLong:
    """In place of a number that no parser takes."""


def _number(text: str) -> int | _TooLong:
    return len(text) if len(text) <= _DIGITS_MAX else _TooLong()


def _is_whole(text: str) -> bool:
    """Whether no character is cut in half: such an escape can't be written in UTF-8."""
    return text.isascii() or not _SURROGATE.search(text)


def _without_repeated_names(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    for name, value in pairs:
        if not _is_whole(name):
            raise MalformedBodyError(f"The name of a field has {_HALF}. Remove it.")
        if isinstance(value, _TooLong):
            raise _wrong_field(name, "Send a number with fewer digits")
        if isinstance(value, str) and not _is_whole(value):
            raise _wrong_field(name, f"Remove {_HALF}")
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise MalformedBodyError(
            f"The field {shown_name(repeated)!r} is repeated in one object. Send it once."
        )
    return found


def _wrong_field(name: str, problem: str) -> InvalidFieldsError:
    wrong = FieldProblem(field=shown_name(name), problem=problem)
    return InvalidFieldsError("Correct each field that is listed in errors.", [wrong])


def _refuse_constant(constant: str) -> NoReturn:
    raise MalformedBodyError(f"The body is not JSON: {constant} is not a JSON number.")


def _body_error(error: ValidationError) -> Exception:
    found = error.errors(include_url=False, include_input=False)
    if any(each["type"] == "json_invalid" for each in found):
        message = found[0]["msg"].lower()
        # The body was parsed before: it is JSON, but has what pydantic's parser does not take.
        if "number out of range" in message:
            return MalformedBodyError("A number has too many digits. Send fewer.")
        if "escape" in message:
            return MalformedBodyError(f"A text has {_HALF}. Remove it.")
        return MalformedBodyError(f"The body is not JSON: {message}.")
    return invalid_fields(error)


def invalid_fields(error: ValidationError) -> InvalidFieldsError:
    """Returns pydantic's errors as a problem that names each field and its fix."""
    found = error.errors(include_url=False, include_input=False)
    return InvalidFieldsError("Correct each field that is listed in errors.", field_problems(found))
