"""Turns every error of the application into ``application/problem+json``."""

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Match

from ingress.cards import contains_card_number
from ingress.errors import (
    PROBLEM_MEDIA_TYPE,
    PROBLEMS,
    ClientGoneError,
    IngressError,
    InvalidFieldsError,
    NotFoundError,
    type_uri,
)
from ingress.metrics import Metrics
from schemas.http import FieldProblem, Problem

CLIENT_GONE: Final = 499  # a metric label only: there is no client left to send it to
_METHODS: Final = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
_NAME_CHARS_SHOWN: Final = 40  # as long as a key of metadata
_EXPLANATIONS: Final = {problem.slug: problem for problem in PROBLEMS}


def problem_response(problem: Problem, headers: Mapping[str, str]) -> Response:
    """Returns the problem as a response, without ``errors`` if there are none."""
    return Response(
        problem.model_dump_json(exclude_defaults=True),
        status_code=problem.status,
        media_type=PROBLEM_MEDIA_TYPE,
        headers=dict(headers),
    )


def internal_error() -> Response:
    """Returns the response to an unforeseen error. It reveals nothing about the cause."""
    error = IngressError("An unforeseen error occurred. It is safe to send the request again.")
    return problem_response(error.problem(), error.headers)


def field_problems(errors: Iterable[Mapping[str, Any]]) -> Sequence[FieldProblem]:
    """Returns pydantic's errors as fields and fixes. They never repeat the input."""
    return tuple(
        FieldProblem(
            field=".".join(shown_name(str(part)) for part in error["loc"]) or "body",
            problem=_FIXES.get(error["type"], error["msg"]),
        )
        for error in errors
    )


def shown_name(name: str) -> str:
    """Returns a field's name as an answer may repeat it: shortened, without a card number."""
    if contains_card_number(name[: 5 * _NAME_CHARS_SHOWN]):
        return "(a card number)"
    return name[:_NAME_CHARS_SHOWN]


_FIXES: Final = {
    "extra_forbidden": "This field is unknown. Remove it or correct its name",
    "missing": "Send this field; it is required",
}


def install(app: FastAPI, metrics: Metrics) -> None:
    """Installs the error handlers and the route that explains problem types."""

    async def on_ingress_error(_request: Request, error: Exception) -> Response:
        if not isinstance(error, IngressError):
            raise error
        if error.status == HTTPStatus.SERVICE_UNAVAILABLE:
            metrics.unavailable.labels(error.slug).inc()
        return problem_response(error.problem(), error.headers)

    app.add_exception_handler(IngressError, on_ingress_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_parameters)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(ClientGoneError, _on_client_gone)
    app.add_api_route(
        "/problems/{slug}", explain, methods=["GET"], include_in_schema=False, response_model=None
    )


async def explain(slug: str) -> Response:
    """Explains a problem type. Every problem's type URI leads here."""
    known = _EXPLANATIONS.get(slug)
    if known is None:
        raise NotFoundError("There is no such problem type.")
    named = {"type": type_uri(slug), "status": known.status, "title": known.title}
    return JSONResponse({**named, "meaning": known.meaning})


async def _on_invalid_parameters(_request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    # FastAPI puts "query" or "path" before the name that the client knows, and the place in a list
    # after it: a parameter's values are sent one by one.
    named = ({**each, "loc": each["loc"][1:2]} for each in error.errors())
    detail = "Correct each parameter that is listed in errors."
    invalid = InvalidFieldsError(detail, field_problems(named))
    return problem_response(invalid.problem(), invalid.headers)


async def _on_http_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    phrase = HTTPStatus(error.status_code).phrase
    details = {
        HTTPStatus.NOT_FOUND: "There is nothing at this address. /docs lists all addresses.",
        HTTPStatus.METHOD_NOT_ALLOWED: "This address does not support this method. See /docs.",
    }
    found_nothing = error.status_code == NotFoundError.status
    problem = Problem(
        type=type_uri(NotFoundError.slug) if found_nothing else _BLANK,
        title=phrase,
        status=error.status_code,
        detail=details.get(HTTPStatus(error.status_code), phrase),
    )
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = _allowed(request)
    return problem_response(problem, headers)


def _allowed(request: Request) -> str:
    """Returns the methods of every route at this address. Starlette names those of the first."""
    return ", ".join(
        method
        for method in _METHODS
        if any(
            route.matches({**request.scope, "method": method})[0] is Match.FULL
            for route in request.app.routes
        )
    )


async def _on_client_gone(_request: Request, _error: Exception) -> Response:
    return Response(status_code=CLIENT_GONE)


_BLANK: Final = "about:blank"  # RFC 9457: the problem is no more specific than the status
