"""Control requests over HTTP: JSON bodies, JSON responses, errors that name the field."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sandbox.stripe_simulator.api.forms import decode_form
from sandbox.stripe_simulator.errors import ApiError, ParameterError

BodyT = TypeVar("BodyT", bound=BaseModel)
Endpoint = Callable[[Request], Awaitable[Response]]


async def read_body(request: Request, model: type[BodyT]) -> BodyT:
    """A request's body: JSON, a form, or empty if no field is required.

    Raises:
        ValidationError: a field is wrong or missing.
        ParameterError: the body is no text.
    """
    body = await request.body()
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        try:
            text = body.decode()
        except UnicodeDecodeError as error:
            raise ParameterError("the form is not in UTF-8") from error
        return model.model_validate(decode_form(text))
    return model.model_validate_json(body or b"{}")


def with_json_errors(endpoint: Endpoint) -> Endpoint:
    """Wrap an endpoint so that its errors become JSON responses that name the field."""

    async def wrapped(request: Request) -> Response:
        try:
            return await endpoint(request)
        except ApiError as error:
            return JSONResponse(error.body(), error.status)
        except ValidationError as error:
            problems = [
                {"field": ".".join(map(str, item["loc"])), "message": item["msg"]}
                for item in error.errors(include_url=False, include_input=False)
            ]
            return JSONResponse(
                {"error": {"type": "invalid_request_error", "problems": problems}}, 422
            )

    return wrapped
