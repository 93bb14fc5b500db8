"""Stripe's OpenAPI description, as JSON Schemas that a document can be held to.

Stricter than Stripe is with itself in two points: a property that the description doesn't name is
a misspelt one, and what may be an ID or the object it names is an ID unless it was asked for.
"""

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from tests.schemas.json_schema import problems

Schema = Mapping[str, Any]

_REFERENCE: Final = "#/components/schemas/"
#: What says the same in both languages.
_SHARED: Final = {"type", "enum", "maxLength", "pattern", "required"}
#: What a format demands. Money is in minor units; a decimal is text, so that nothing is rounded.
_FORMATS: Final[Mapping[str, Schema]] = {
    "unix-time": {"minimum": 0},
    "currency": {"pattern": "^[a-z]{3}$"},
    "decimal": {"pattern": r"^-?[0-9]+(\.[0-9]+)?$"},
}
_ANNOTATIONS: Final = {
    *("title", "description", "nullable"),
    *("x-expandableFields", "x-expansionResources", "x-resourceId", "x-stripeBypassValidation"),
}


_Translate = Callable[[Schema], Schema]
#: Keywords with schemas inside.
_INSIDE: Final[Mapping[str, Callable[[Any, _Translate], Any]]] = {
    "properties": lambda parts, translate: {name: translate(p) for name, p in parts.items()},
    "additionalProperties": lambda part, translate: {} if part is True else translate(part),
    "items": lambda part, translate: translate(part),
    "anyOf": lambda options, translate: [translate(option) for option in options],
}


def json_schema(schema: Schema, *, expanded: bool) -> Schema:
    """The same as a JSON Schema. A keyword that is not known here is a KeyError.

    ``expanded``: an object may stand where else only its ID may.
    """
    if "$ref" in schema:
        return {"$ref": f"#/$defs/{schema['$ref'].removeprefix(_REFERENCE)}"}
    made: dict[str, Any] = {}
    for keyword, operand in schema.items():
        if keyword in _INSIDE:
            made[keyword] = _INSIDE[keyword](operand, partial(json_schema, expanded=expanded))
        elif keyword == "format":
            made |= _FORMATS[operand]
        elif keyword in _SHARED:
            made[keyword] = operand
        elif keyword not in _ANNOTATIONS:
            raise KeyError(keyword)
    if "x-expansionResources" in schema and not expanded:
        made["anyOf"] = [option for option in made["anyOf"] if "$ref" not in option]
    if "properties" in made:
        made.setdefault("additionalProperties", False)
    return {"anyOf": [made, {"type": "null"}]} if schema.get("nullable") else made


class Description:
    """What Stripe publishes of one version of its API."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.version: str = document["info"]["version"]
        self._paths = document["paths"]
        self._schemas = document["components"]["schemas"]
        self._definitions = {
            expanded: {
                name: json_schema(schema, expanded=expanded)
                for name, schema in self._schemas.items()
            }
            for expanded in (False, True)
        }

    def object_problems(self, kind: str, value: Any, *, expanded: bool = False) -> list[str]:
        """Everything in an object that the description forbids, each with its place."""
        return self._problems({"$ref": f"{_REFERENCE}{kind}"}, value, expanded=expanded)

    def answer_problems(
        self, template: str, method: str, status: int, value: Any, *, expanded: bool
    ) -> list[str]:
        """The same of the answer of an operation, or of its error where the status is no 200."""
        answers = self._paths[template][method.lower()]["responses"]
        answer = answers.get(str(status), answers["default"])
        schema = answer["content"]["application/json"]["schema"]
        return self._problems(schema, value, expanded=expanded)

    def template(self, method: str, path: str) -> str:
        """The operation's path with names for the IDs in it. Raises KeyError where there is none.

        Of several the one with the fewest IDs: `search` is no payment intent.
        """
        found: list[str] = [
            each
            for each, operations in self._paths.items()
            if method.lower() in operations
            and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", each), path)
        ]
        if not found:
            raise KeyError(f"{method} {path}")
        return min(found, key=lambda each: each.count("{"))

    def words(self, kind: str, name: str) -> frozenset[str]:
        """The words that a property may hold: its enum, or all that its text names as such."""
        said = self._schemas[kind]["properties"][name]
        return frozenset(said.get("enum") or re.findall(r"`(\w+)`", said["description"]))

    def described(self, kind: str, value: Schema) -> dict[str, Any]:
        """An object without the properties that the description doesn't name."""
        named = self._schemas[kind]["properties"]
        return {name: part for name, part in value.items() if name in named}

    def event_types(self) -> frozenset[str]:
        """Returns the types of events that a webhook endpoint can subscribe to."""
        operation = self._paths["/v1/webhook_endpoints"]["post"]
        (content,) = operation["requestBody"]["content"].values()
        return frozenset(content["schema"]["properties"]["enabled_events"]["items"]["enum"])

    def _problems(self, schema: Schema, value: Any, *, expanded: bool) -> list[str]:
        definitions = self._definitions[expanded]
        return problems({"$defs": definitions, **json_schema(schema, expanded=expanded)}, value)
