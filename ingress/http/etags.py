"""Versions of a payment as entity tags (RFC 9110): ``ETag``, ``If-None-Match``, ``If-Match``."""

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from ingress.errors import InvalidFieldsError
from schemas.http import FieldProblem

#: What a payment's tag says after its version while it is quarantined: the answer is another one.
_QUARANTINED: Final = "-quarantined"
_EXPECTED: Final = re.compile(rf'"(0|[1-9][0-9]{{0,8}})(?:{_QUARANTINED})?"', re.ASCII)
_TAG: Final = re.compile(r'(?:W/)?("[!#-~\x80-\xff]*")')

IF_MATCH: Final = """\
Only if the payment is still at this version when the operation is decided: the `ETag` that a GET \
of the payment had, such as `"2"`. Otherwise it is rejected with the code `version_mismatch`. It \
is a part of the request: a retry repeats it. Left out, or `*`: at any version."""
IF_NONE_MATCH: Final = (
    "The `ETag` that the client has: the answer is 304, without a body, while the payment is the "
    "same."
)
ETAG: Final[dict[str, Any]] = {
    "description": "The payment's version, for `If-None-Match` and `If-Match`; another one while "
    "the payment is quarantined.",
    "schema": {"type": "string"},
    "example": '"4"',
}


class _Seen(msgspec.Struct):
    version: int
    quarantined: bool


def tagged(
    request: Request, payment: str, further: Mapping[str, str] = MappingProxyType({})
) -> Response:
    """Returns the answer to a GET of a payment, which is JSON: 304 if the client has it.

    Its tag is a strong one: two answers with one tag are the same bytes. ``further`` are headers.
    """
    seen = msgspec.json.decode(payment, type=_Seen)
    tag = f'"{seen.version}{_QUARANTINED if seen.quarantined else ""}"'
    headers = {"ETag": tag, **further}
    known = ",".join(request.headers.getlist("if-none-match")).strip()
    if known == "*" or tag in _TAG.findall(known):
        return Response(status_code=304, headers=headers)
    return Response(payment, media_type="application/json", headers=headers)


def expected_version(sent: Sequence[str]) -> int | None:
    """Returns the version that the values of all ``If-Match`` headers name, if they name one.

    Raises InvalidFieldsError for what is no tag of a payment, and for several.
    """
    value = ",".join(sent).strip()
    if not sent or value == "*":
        return None
    found = _EXPECTED.fullmatch(value)
    if found is None:
        problem = 'Send one ETag as a GET of the payment returned it, such as "2"'
        wrong = [FieldProblem(field="If-Match", problem=problem)]
        raise InvalidFieldsError("Correct the header that is listed in errors.", wrong)
    return int(found[1])
