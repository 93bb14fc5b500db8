"""Adds to the generated OpenAPI document: problems, bodies, examples and the webhook route."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from ingress import errors
from ingress.documents import bodies, links, texts
from ingress.documents import problems as problem_types
from ingress.errors import IngressError
from ingress.idempotency import KEY_SCHEMA
from ingress.routes import examples
from ingress.routes.webhooks import ACCOUNT_NOTICES_PATH, NOTICES_PATH
from ingress.routes.webhooks import ACCOUNT_PATH as ACCOUNT_WEBHOOKS
from ingress.routes.webhooks import PATH as WEBHOOKS
from ports.provider import WebhookReader
from schemas.answers import AcceptedOperation, DecidedPayment
from schemas.http import WebhookReceived
from schemas.model import Model

_FOREIGN: Final = ("HTTPValidationError", "ValidationError")

DESCRIPTION: Final = texts.DESCRIPTION
ACCEPTED: Final[dict[str, Any]] = {
    "description": "Accepted for a decision: stored on every in-sync replica, and not yet "
    "processed. The operation says what was decided; it may be a rejection.",
    "headers": {
        "Location": {
            "description": "The payment's path.",
            "schema": {"type": "string"},
            "example": f"/v1/payments/{examples.PAYMENT_ID}",
        },
        "Idempotent-Replayed": {
            "description": "`true` if an earlier request of this operation was accepted.",
            "schema": {"type": "string"},
            "example": "true",
        },
    },
}
#: The same of all others than a create.
ACCEPTED_OPERATION: Final[dict[str, Any]] = ACCEPTED | {
    "headers": ACCEPTED["headers"]
    | {
        "Location": {
            "description": "The operation's path.",
            "schema": {"type": "string"},
            "example": f"/v1/operations/{examples.OPERATION_ID}",
        }
    }
}
_APPLIED: Final = {
    "description": "For how long the answer would have waited; absent if it did not wait.",
    "schema": {"type": "string"},
    "example": "wait=5",
}
DECIDED: Final[dict[str, Any]] = {
    "model": DecidedPayment,
    "description": "Decided, for a client that preferred to wait. It may be a rejection.",
    "headers": ACCEPTED["headers"],
}
DECIDED_OPERATION: Final[dict[str, Any]] = DECIDED | {
    "model": AcceptedOperation,
    "headers": ACCEPTED_OPERATION["headers"],
}
_REQUEST_ID: Final = {
    "description": "Names this answer in the service's log: the X-Request-Id of the request, or a "
    "new one.",
    "schema": {"type": "string"},
    "example": "5f0c2b7e9d1a4c3e8b6f7a2d1c0e9b8a",
}
#: What a provider sends has the provider's form; the signature is over the bytes.
_WEBHOOK: Final = {
    "title": "ProviderEvent",
    "type": "object",
    "description": "The provider's event, as it signed it.",
}


def problems(*kinds: type[IngressError]) -> dict[int | str, dict[str, Any]]:
    """Returns the OpenAPI responses of these problems, by status."""
    return problem_types.answers(*kinds)


def json_request(model: type[Model], example: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the OpenAPI request body. It is always required, even if no field is."""
    schema = model.model_json_schema()
    content = {"application/json": {"schema": schema, "example": dict(example)}}
    return {"requestBody": {"required": True, "content": content}}


def _webhook_paths(
    readers: Iterable[WebhookReader], own_path: str, account_path: str, what: str
) -> dict[str, Any]:
    """Returns the paths of webhooks: of the providers' own accounts, and of those with a name."""
    own = sorted(r.provider for r in readers if r.name == r.provider)
    named = sorted((r.provider, r.name) for r in readers if r.name != r.provider)
    paths = {}
    if own:
        paths[own_path] = _webhook_path(f"receive_{what}", provider=own)
    if named:
        providers = sorted({provider for provider, _ in named})
        names = [name for _, name in named]
        paths[account_path] = _webhook_path(
            f"receive_account_{what}", provider=providers, account=names
        )
    return paths


_WHOSE: Final = {"provider": "Whose webhook it is.", "account": "The account's name here."}


def _webhook_path(operation_id: str, **names: Sequence[str]) -> dict[str, Any]:
    refusals = problems(
        errors.InvalidSignatureError,
        errors.UnknownProviderError,
        errors.SlowBodyError,
        errors.BodyTooLargeError,
        errors.UnsupportedMediaTypeError,
        errors.BrokerUnavailableError,
    )
    return {
        "post": {
            "tags": ["webhooks"],
            "summary": "Receive a provider's webhook",
            "description": "Answered 200 once it is stored on every in-sync replica.",
            "operationId": operation_id,
            "parameters": [
                {
                    "name": each,
                    "in": "path",
                    "required": True,
                    "description": _WHOSE[each],
                    "schema": {"type": "string", "enum": list(values)},
                }
                for each, values in names.items()
            ],
            "requestBody": {
                "required": True,
                "content": {
                    "application/json": {
                        "schema": dict(_WEBHOOK),
                        "example": dict(examples.PROVIDER_EVENT),
                    }
                },
            },
            "responses": {
                "200": {
                    "description": "It is stored.",
                    "content": {
                        "application/json": {"schema": WebhookReceived.model_json_schema()}
                    },
                },
                **{str(status): answer for status, answer in refusals.items()},
            },
        }
    }


def document(app: FastAPI) -> dict[str, Any]:
    """Returns the application's OpenAPI document."""
    found = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes
    )
    context = app.state.context
    found["paths"] |= _webhook_paths(
        context.readers.values(), WEBHOOKS, ACCOUNT_WEBHOOKS, "webhook"
    )
    found["paths"] |= _webhook_paths(
        context.notices.values(), NOTICES_PATH, ACCOUNT_NOTICES_PATH, "notice"
    )
    schemas = found.setdefault("components", {}).setdefault("schemas", {})
    schemas |= problem_types.components()
    _add_examples(found)
    for operation in bodies.operations(found):
        _drop_foreign_errors(operation)
        _complete_answers(operation)
        for parameter in operation.get("parameters", ()):
            _require_idempotency_key(parameter)
            bodies.never_null(parameter)
    for name in _FOREIGN:
        schemas.pop(name, None)
    bodies.name_bodies(found)
    bodies.drop_titles(found)
    bodies.open_answers(found)
    bodies.drop_unused(found)
    bodies.show_parts(found)
    links.link(found)
    texts.described(found)
    return found


def _add_examples(found: dict[str, Any]) -> None:
    """Adds the examples of bodies: FastAPI leaves out what is null in those that it is given."""
    for (method, path, status), example in examples.ANSWERS.items():
        answer = found["paths"].get(path, {}).get(method, {}).get("responses", {}).get(str(status))
        if answer is not None:
            for content in answer.setdefault("content", {"application/json": {}}).values():
                content["example"] = example
    for (method, path), shown in examples.REQUESTS.items():
        content = found["paths"][path][method]["requestBody"]["content"]["application/json"]
        content.pop("example", None)
        content["examples"] = {
            name: {"summary": summary, "value": value} for name, (summary, value) in shown.items()
        }


def _complete_answers(operation: dict[str, Any]) -> None:
    """Adds the problems that any request can have, and the header that every answer has."""
    answers = operation["responses"]
    for kind in problem_types.EVERYWHERE:
        problem_types.add(answers, str(kind.status), kind)
    waits = any(each["name"] == "Prefer" for each in operation.get("parameters", ()))
    for status, answer in answers.items():
        answer["headers"] = {**answer.get("headers", {}), "X-Request-Id": dict(_REQUEST_ID)}
        if waits and status < "4":
            answer["headers"]["Preference-Applied"] = dict(_APPLIED)
    operation["responses"] = dict(sorted(answers.items()))


def _drop_foreign_errors(operation: dict[str, Any]) -> None:
    """Removes FastAPI's own 422 response, which this application never sends."""
    answer = operation["responses"].get("422", {})
    if "application/json" in answer.get("content", {}):
        del operation["responses"]["422"]


def _require_idempotency_key(parameter: dict[str, Any]) -> None:
    """Documents the header as required. FastAPI has it as optional, so that we answer the 400."""
    if parameter["name"] == "Idempotency-Key":
        parameter["required"] = True
        parameter["schema"] = dict(KEY_SCHEMA)
        parameter["example"] = examples.KEY
