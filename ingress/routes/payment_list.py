"""Lists a tenant's payments: a page at a time, by filters that can all be combined."""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BeforeValidator, TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError
from starlette.responses import Response

from domain.status import Status
from ingress import errors
from ingress.http.problems import field_problems
from ingress.http.query import keyed_parameter, keyed_parameters
from ingress.routes import cursors
from ingress.routes.current import READ_DEADLINE_S
from ingress.routes.dependencies import Tenant, context_of
from ingress.routes.openapi import problems
from ingress.routes.payment_reads import JSON, Cursor
from postgres import payment_list
from postgres.payment_list import Filters, Page
from schemas.http import AnyCaseCurrency, FieldProblem, PaymentPage
from schemas.model import Metadata, OrderReference, ShortText, UtcTime

#: More payments than this are not counted.
COUNTED_MAX: Final = 1_000
_RFC_3339: Final = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)


def _rfc_3339(text: Any) -> Any:
    """Refuses the other forms that pydantic reads, such as a number of seconds."""
    if not (isinstance(text, str) and _RFC_3339.fullmatch(text)):
        raise PydanticCustomError(
            "rfc_3339",
            "Send a time with its zone, such as 2026-03-01T12:00:00Z; a + in it is %2B in an "
            "address",
        )
    return text


_Time = Annotated[UtcTime, BeforeValidator(_rfc_3339)]
_METADATA: Final = "metadata"
_METADATA_PARAMETER: Final = keyed_parameter(
    _METADATA,
    "Only payments with this key of the metadata and this value, such as `metadata[channel]=web`. "
    "One key.",
    {
        "type": "object",
        "minProperties": 1,
        "maxProperties": 1,
        "propertyNames": {"minLength": 1, "maxLength": 40},
        "additionalProperties": {"type": "string", "maxLength": 500},
    },
    {"channel": "web"},
)
_STATUS: Final = "Only payments in this status; sent several times, in any of these."
_ATTENTION: Final = """\
`true`: only payments on which somebody has to act: quarantined, with a dispute that needs a \
response, or with a fraud warning that is actionable, because a refund may still prevent the \
dispute. `false`: only others. What waits for the customer has a status of its own, \
REQUIRES_ACTION."""
_COUNT: Final = (
    f"`true`: with `total`, how many payments the filters match on all pages, "
    f"{COUNTED_MAX:,} at most."
)


def _metadata(request: Request, _tenant: Tenant) -> tuple[str, str] | None:
    """Returns the one key of the metadata that is asked for, with its value."""
    sent = list(keyed_parameters(request, _METADATA))
    if not sent:
        return None
    if len(sent) > 1:
        raise _invalid(_METADATA, "Send one key of the metadata, once")
    try:
        ((key, value),) = _METADATA_VALUES.validate_python(dict(sent)).items()
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        named = [{**each, "loc": (_METADATA,)} for each in found]
        raise errors.InvalidFieldsError(_CORRECT, field_problems(named)) from None
    return key, value


_METADATA_VALUES: Final = TypeAdapter(Metadata)
_CORRECT: Final = "Correct each parameter that is listed in errors."


def _filters(
    metadata: Annotated[tuple[str, str] | None, Depends(_metadata)],
    status: Annotated[list[Status] | None, Query(description=_STATUS)] = None,
    created_from: Annotated[
        _Time | None, Query(description="Only payments created then or later (RFC 3339).")
    ] = None,
    created_to: Annotated[
        _Time | None, Query(description="Only payments created before then (RFC 3339).")
    ] = None,
    currency: Annotated[
        AnyCaseCurrency | None, Query(description="Only payments in this currency (ISO 4217).")
    ] = None,
    provider: Annotated[
        ShortText | None,
        Query(description="Only payments of this account at a provider, by its name."),
    ] = None,
    order_reference: Annotated[
        OrderReference | None,
        Query(description="Only payments with exactly this reference of yours; it may be several."),
    ] = None,
    needs_attention: Annotated[bool | None, Query(description=_ATTENTION)] = None,
) -> Filters:
    return Filters(
        statuses=tuple(sorted(set(status or ()))),
        created_from=created_from,
        created_to=created_to,
        currency=currency,
        provider=provider,
        order_reference=order_reference,
        metadata=metadata,
        needs_attention=needs_attention,
    )


router: Final = APIRouter(tags=["payments"])


@router.get(
    "/v1/payments",
    summary="List payments, newest first",
    response_model=PaymentPage,
    responses={
        200: {"description": "A page."},
        **problems(
            errors.UnauthorizedError,
            errors.InvalidCursorError,
            errors.InvalidFieldsError,
            errors.DatabaseUnavailableError,
        ),
    },
    openapi_extra={"parameters": [_METADATA_PARAMETER]},
)
async def list_payments(
    request: Request,
    tenant: Tenant,
    filters: Annotated[Filters, Depends(_filters)],
    limit: Annotated[int, Query(ge=1, le=100, description="Most payments on a page.")] = 20,
    count: Annotated[bool, Query(description=_COUNT)] = False,  # noqa: FBT002  # a parameter
    cursor: Cursor = None,
) -> Response:
    """Returns a page of payments, newest first. All filters can be combined.

    A page may have fewer payments than `limit`, or none, although there are more: the last page is
    the one without `next_cursor`. A cursor belongs to the filters that it came with.
    """
    database, key = context_of(request).database, _key(filters)
    after = None if cursor is None else cursors.decode(cursor, key)
    page = await database.run(
        lambda connection: payment_list.page(connection, tenant, filters, after, limit),
        READ_DEADLINE_S,
    )
    total = None
    if count:
        total = await database.run(
            lambda connection: payment_list.count(connection, tenant, filters, COUNTED_MAX),
            READ_DEADLINE_S,
        )
    return Response(_text(page, key, total), media_type=JSON)


def _text(page: Page, key: str, total: tuple[int, bool] | None) -> str:
    """Returns the page as JSON. The payments are JSON already."""
    end = None if page.end is None else cursors.encode(page.end, key)
    rest: dict[str, Any] = {"next_cursor": end}
    if total is not None:
        rest |= {"total": total[0], "total_is_capped": total[1]}
    return f'{{"data":[{",".join(page.snapshots)}],{json.dumps(rest, separators=(",", ":"))[1:]}'


def _key(filters: Filters) -> str:
    """Returns what distinguishes the cursors of these filters from others; empty without any."""
    used = {name: value for name, value in asdict(filters).items() if value not in (None, ())}
    if not used:
        return ""
    text = json.dumps(used, default=str, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[: cursors.KEY_CHARS]


def _invalid(field: str, problem: str) -> errors.InvalidFieldsError:
    wrong: Sequence[FieldProblem] = (FieldProblem(field=field, problem=problem),)
    return errors.InvalidFieldsError(_CORRECT, wrong)
