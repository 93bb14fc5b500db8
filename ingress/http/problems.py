"""Turns what went wrong into ``application/problem+json``, for every route and every status."""

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

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

CLIENT_GONE: Final = 499  # never sent: only a label, nobody is left to read it
_NAME_CHARS_SHOWN: Final = 40  # as long as a key of metadata
_EXPLANATIONS: Final = {problem.slug: problem for problem in PROBLEMS}


def problem_response(problem: Problem, headers: Mapping[str, str]) -> Response:
    """The problem as an answer; ``errors`` is left out where there are none."""
    return Response(
        problem.model_dump_json(exclude_defaults=True),
        status_code=problem.status,
        media_type=PROBLEM_MEDIA_TYPE,
        headers=dict(headers),
    )


def internal_error() -> Response:
    """The answer to a request our own code failed on: it tells nothing about the inside."""
    error = IngressError("The request could not be handled. It is safe to send it again.")
    return problem_response(error.problem(), error.headers)


def field_problems(errors: Iterable[Mapping[str, Any]]) -> Sequence[FieldProblem]:
    """Errors as pydantic lists them, as fields and fixes; the input itself is never repeated."""
    return tuple(
        FieldProblem(
            field=".".join(shown_name(str(part)) for part in error["loc"]) or "body",
            problem=_FIXES.get(error["type"], error["msg"]),
        )
        for error in errors
    )


def shown_name(name: str) -> str:
    """A field's name as an answer may repeat it: not endlessly long, and no card number."""
    if contains_card_number(name[: 5 * _NAME_CHARS_SHOWN]):
        return "(a card number)"
    return name[:_NAME_CHARS_SHOWN]


_FIXES: Final = {
    "extra_forbidden": "There is no such field; remove it or correct its name",
    "missing": "This field is required",
}


def install(app: FastAPI, metrics: Metrics) -> None:
    """Makes every error of the application a problem."""

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
    """What a problem type means: the type URI of every problem leads here."""
    known = _EXPLANATIONS.get(slug)
    if known is None:
        raise NotFoundError("There is no problem type of this name.")
    named = {"type": type_uri(slug), "status": known.status, "title": known.title}
    return JSONResponse({**named, "meaning": known.meaning})


async def _on_invalid_parameters(_request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    # "query" or "path" says where FastAPI looked; the client knows the parameter by its name.
    named = ({**each, "loc": each["loc"][1:]} for each in error.errors())
    invalid = InvalidFieldsError("See errors for each parameter.", field_problems(named))
    return problem_response(invalid.problem(), invalid.headers)


async def _on_http_error(_request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    phrase = HTTPStatus(error.status_code).phrase
    details = {
        HTTPStatus.NOT_FOUND: "There is nothing at this address. /docs lists what there is.",
        HTTPStatus.METHOD_NOT_ALLOWED: "This address does not take this method.",
    }
    found_nothing = error.status_code == NotFoundError.status
    problem = Problem(
        type=type_uri(NotFoundError.slug) if found_nothing else _BLANK,
        title=phrase,
        status=error.status_code,
        detail=details.get(HTTPStatus(error.status_code), phrase),
    )
    return problem_response(problem, error.headers or {})


async def _on_client_gone(_request: Request, _error: Exception) -> Response:
    return Response(status_code=CLIENT_GONE)


_BLANK: Final = "about:blank"  # RFC 9457: the status says it all
