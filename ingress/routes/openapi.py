"""Adds to the generated OpenAPI document: problems, request bodies and the webhook route."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from ingress import errors
from ingress.errors import PROBLEM_MEDIA_TYPE, IngressError, type_uri
from ingress.routes import examples
from ingress.routes.webhooks import ACCOUNT_NOTICES_PATH, NOTICES_PATH
from ingress.routes.webhooks import ACCOUNT_PATH as ACCOUNT_WEBHOOKS
from ingress.routes.webhooks import PATH as WEBHOOKS
from ports.provider import WebhookReader
from schemas.http import FieldProblem, Problem
from schemas.model import Model

_REF: Final = "#/components/schemas/{model}"
_ADDED: Final = (FieldProblem, Problem)
_FOREIGN: Final = ("HTTPValidationError", "ValidationError")

DESCRIPTION: Final = (
    "Create payments and operate on them. Every POST needs an Idempotency-Key: a retry with the "
    "same key and body is the same operation, and is done once. Every answer has an X-Request-Id."
)
ACCEPTED: Final[dict[str, Any]] = {
    "description": "Accepted for a decision: stored on every in-sync replica, and not yet "
    "processed. The payment's timeline says what was decided; it may be a rejection.",
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
_RETRY_AFTER: Final = {
    "description": "After how many seconds to try again.",
    "schema": {"type": "string"},
    "example": errors.RETRY_AFTER_S,
}


_WEBHOOK: Final = {
    "type": "object",
    "description": "The provider's event, as it signed it.",
}


def problems(*kinds: type[IngressError]) -> dict[int | str, dict[str, Any]]:
    """Returns the OpenAPI responses of these problems, by status."""
    answers: dict[int | str, dict[str, Any]] = {}
    for kind in kinds:
        answer = answers.setdefault(
            kind.status,
            {
                "description": "",
                "content": {
                    PROBLEM_MEDIA_TYPE: {
                        "schema": {"$ref": _REF.format(model=Problem.__name__)},
                        "examples": {},
                    }
                },
            },
        )
        answer["description"] = "; ".join(filter(None, (answer["description"], kind.title)))
        answer["content"][PROBLEM_MEDIA_TYPE]["examples"][kind.slug] = {"value": _example(kind)}
        if "Retry-After" in kind.headers:
            answer["headers"] = {"Retry-After": _RETRY_AFTER}
    for answer in answers.values():
        answer["description"] += "."
    return answers


def _example(kind: type[IngressError]) -> dict[str, Any]:
    example = {"type": type_uri(kind.slug), "title": kind.title, "status": kind.status}
    example["detail"] = kind.meaning
    if kind is errors.InvalidFieldsError:
        example["errors"] = [{"field": "amount", "problem": "Input should be greater than 0"}]
    return example


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
                "content": {"application/json": {"schema": _WEBHOOK}},
            },
            "responses": {
                "200": {"description": "It is stored.", "content": {"application/json": {}}},
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
    for model in _ADDED:
        schema = model.model_json_schema(ref_template=_REF)
        schema.pop("$defs", None)
        schemas[model.__name__] = schema
    _add_examples(found)
    for path in found["paths"].values():
        for operation in path.values():
            _require_idempotency_key(operation)
            _drop_foreign_errors(operation)
    for name in _FOREIGN:
        schemas.pop(name, None)
    return found


def _add_examples(found: dict[str, Any]) -> None:
    """Adds the examples of answers: FastAPI leaves out what is null in those that it is given."""
    for (method, path, status), example in examples.ANSWERS.items():
        answer = found["paths"][path][method]["responses"][str(status)]
        for content in answer.setdefault("content", {"application/json": {}}).values():
            content["example"] = example


def _drop_foreign_errors(operation: dict[str, Any]) -> None:
    """Removes FastAPI's own 422 response, which this application never sends."""
    answer = operation["responses"].get("422", {})
    if "application/json" in answer.get("content", {}):
        del operation["responses"]["422"]


def _require_idempotency_key(operation: dict[str, Any]) -> None:
    """Documents the header as required. FastAPI has it as optional, so that we answer the 400."""
    for parameter in operation.get("parameters", ()):
        if parameter["name"] == "Idempotency-Key":
            parameter["required"] = True
            parameter["schema"] = {"type": "string", "pattern": "^[ -~]{1,255}$"}
            parameter["example"] = examples.KEY
