"""Problems in the OpenAPI document: a component for each type, and the answers that have them."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from ingress import errors
from ingress.errors import PROBLEM_MEDIA_TYPE, PROBLEMS, IngressError, type_uri
from schemas.http import FieldProblem, Problem

REF: Final = "#/components/schemas/{model}"
_RETRY_AFTER: Final = {
    "description": "After how many seconds to try again.",
    "schema": {"type": "string"},
    "example": errors.RETRY_AFTER_S,
}
_WWW_AUTHENTICATE: Final = {
    "description": "How to send the API key.",
    "schema": {"type": "string"},
    "example": errors.UnauthorizedError.headers["WWW-Authenticate"],
}
_HEADERS: Final = MappingProxyType(
    {"Retry-After": _RETRY_AFTER, "WWW-Authenticate": _WWW_AUTHENTICATE}
)
#: What any request can come to, wherever it goes.
EVERYWHERE: Final = (
    errors.MalformedRequestError,
    errors.SlowHeadError,
    errors.HeadTooLargeError,
    errors.TooManyConnectionsError,
    IngressError,
)
#: What the service says, where it is not what the type means anyway.
_DETAILS: Final[Mapping[type[IngressError], str]] = MappingProxyType(
    {
        errors.UnauthorizedError: "The API key is unknown. Check that it is complete and current.",
        errors.InvalidCursorError: "The query parameter 'cursor' is not a next_cursor of this API.",
        errors.InvalidFieldsError: "Correct each field that is listed in errors.",
        errors.UnsupportedMediaTypeError: "Send JSON in UTF-8 with the header 'Content-Type: "
        "application/json'.",
        errors.MalformedBodyError: "The body is missing. Send a JSON object. Without any field it "
        "is {}.",
        errors.UnknownPaymentError: "You have no payment with this ID. Check the ID.",
        errors.UnknownOperationError: "You have no operation with this ID. Check the ID.",
        errors.NotKnownYetError: str(errors.NotKnownYetError()),
        errors.NoClientSecretError: "The payment does not wait for its customer.",
        errors.UnknownProviderError: "No such provider is configured. Check the webhook's address.",
        errors.ClientSecretsOffError: "This service has no key with which to read client secrets. "
        "Ask its operator.",
        errors.BrokerUnavailableError: "The request was not confirmed in time. Send it again, "
        "unchanged.",
        errors.DatabaseUnavailableError: "Payments can't be read at the moment. Try again.",
        errors.ProviderNotAnsweringError: "The provider can't be asked at the moment. Try again.",
        IngressError: "An unforeseen error occurred. It is safe to send the request again.",
    }
)
#: The types whose answers name fields, and what one names.
_FIELDS: Final[Mapping[type[IngressError], Mapping[str, str]]] = MappingProxyType(
    {
        errors.InvalidFieldsError: {"field": "amount", "problem": "Input should be greater than 0"},
        errors.InvalidCursorError: {
            "field": "cursor",
            "problem": "Use next_cursor of the previous page, or leave the cursor out to start "
            "again",
        },
    }
)


def component_name(kind: type[IngressError]) -> str:
    """Returns the name of the type's component: the slug's words, such as InvalidFieldsProblem."""
    return "".join(map(str.capitalize, kind.slug.split("-"))) + "Problem"


def example(kind: type[IngressError]) -> dict[str, Any]:
    """Returns an answer with a problem of this type, as the service sends it."""
    found = {"type": type_uri(kind.slug), "title": kind.title, "status": kind.status}
    found["detail"] = _DETAILS.get(kind, kind.meaning)
    if kind in _FIELDS:
        found["errors"] = [dict(_FIELDS[kind])]
    return found


def answers(*kinds: type[IngressError]) -> dict[int | str, dict[str, Any]]:
    """Returns the OpenAPI responses of these problems, by status."""
    found: dict[int | str, dict[str, Any]] = {}
    for kind in kinds:
        add(found, kind.status, kind)
    return found


def add(found: dict[Any, dict[str, Any]], status: int | str, kind: type[IngressError]) -> None:
    """Adds a problem to the response of its status, beside what that has."""
    answer = found.setdefault(status, {"description": ""})
    words = filter(None, (answer["description"].removesuffix("."), kind.title))
    answer["description"] = "; ".join(words) + "."
    content = answer.setdefault("content", {}).setdefault(
        PROBLEM_MEDIA_TYPE, {"schema": {"anyOf": [_ref(Problem.__name__)]}, "examples": {}}
    )
    content["schema"]["anyOf"].insert(len(content["examples"]), _ref(component_name(kind)))
    content["examples"][kind.slug] = {"summary": kind.title, "value": example(kind)}
    for name in _HEADERS.keys() & kind.headers.keys():
        answer.setdefault("headers", {})[name] = dict(_HEADERS[name])


def _ref(model: str) -> dict[str, str]:
    return {"$ref": REF.format(model=model)}


def components() -> dict[str, Any]:
    """Returns the schema of any problem, and one of each type, which says its ``type``."""
    found = {}
    for model in (FieldProblem, Problem):
        schema = model.model_json_schema(ref_template=REF)
        schema.pop("$defs", None)
        found[model.__name__] = schema
    return found | {component_name(kind): _component(kind) for kind in PROBLEMS}


def _component(kind: type[IngressError]) -> dict[str, Any]:
    whole = Problem.model_json_schema(ref_template=REF)
    required: Sequence[str] = whole["required"]
    fields = {name: dict(whole["properties"][name]) for name in required}
    fields["type"]["const"] = type_uri(kind.slug)
    fields["status"]["const"] = kind.status
    if kind in _FIELDS:
        fields["errors"] = dict(whole["properties"]["errors"])
        fields["errors"].pop("default", None)
        required = [*required, "errors"]
    return {
        "title": component_name(kind),
        "description": kind.meaning,
        "type": "object",
        "properties": fields,
        "required": list(required),
        "examples": [example(kind)],
    }
