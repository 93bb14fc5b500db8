"""Stripe's OpenAPI description as JSON Schemas that validate documents.

Two checks are stricter than Stripe's own. A property that the description doesn't name counts as
misspelt. An expandable field must be an ID unless the request expanded it.
"""

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from tests.compatibility.json_schema import problems

Schema = Mapping[str, Any]

_REFERENCE: Final = "#/components/schemas/"
#: Keywords with the same meaning in OpenAPI and JSON Schema.
_SHARED: Final = {"type", "enum", "maxLength", "pattern", "required"}
#: What each format requires. Money is in minor units; a decimal is a string, so it isn't rounded.
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
#: Keywords that contain schemas.
_NESTED: Final[Mapping[str, Callable[[Any, _Translate], Any]]] = {
    "properties": lambda parts, translate: {name: translate(p) for name, p in parts.items()},
    "additionalProperties": lambda part, translate: {} if part is True else translate(part),
    "items": lambda part, translate: translate(part),
    "anyOf": lambda options, translate: [translate(option) for option in options],
}


def json_schema(schema: Schema, *, expanded: bool) -> Schema:
    """Returns the OpenAPI schema as a JSON Schema. Raises KeyError for an unknown keyword.

    ``expanded`` allows an object in place of its ID.
    """
    if "$ref" in schema:
        return {"$ref": f"#/$defs/{schema['$ref'].removeprefix(_REFERENCE)}"}
    made: dict[str, Any] = {}
    for keyword, operand in schema.items():
        if keyword in _NESTED:
            made[keyword] = _NESTED[keyword](operand, partial(json_schema, expanded=expanded))
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
    """Stripe's description of one version of its API."""

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
        """Returns every violation of the description in an object, each with its path."""
        return self._problems({"$ref": f"{_REFERENCE}{kind}"}, value, expanded=expanded)

    def response_problems(
        self, template: str, method: str, status: int, value: Any, *, expanded: bool
    ) -> list[str]:
        """Returns every violation in the response of an operation, which may be an error."""
        responses = self._paths[template][method.lower()]["responses"]
        response = responses.get(str(status), responses["default"])
        schema = response["content"]["application/json"]["schema"]
        return self._problems(schema, value, expanded=expanded)

    def template(self, method: str, path: str) -> str:
        """Returns the operation's path template. Raises KeyError if none matches.

        Of several matches, the one with the fewest IDs wins: `search` is no payment intent's ID.
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

    def values(self, kind: str, name: str) -> frozenset[str]:
        """Returns a property's allowed values: its enum, or the values its description quotes."""
        schema = self._schemas[kind]["properties"][name]
        return frozenset(schema.get("enum") or re.findall(r"`(\w+)`", schema["description"]))

    def described(self, kind: str, value: Schema) -> dict[str, Any]:
        """Returns an object without the properties that the description doesn't name."""
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
