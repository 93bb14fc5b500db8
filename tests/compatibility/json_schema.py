"""A validator for the part of JSON Schema that the published files use.

It is independent of the models that generate the files, like a consumer in another language. An
unknown keyword is a KeyError.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

_ANNOTATIONS: Final = {
    "$defs", "$id", "$schema", "title", "description", "default", "discriminator", "examples",
    "x-open",
}  # fmt: skip


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_TYPES: Final[Mapping[str, Callable[[Any], bool]]] = {
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: _is_number(value) and value == int(value),  # 1.0 is an integer
    "number": _is_number,
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
}
#: A check for each keyword about a single value; called with (operand, value).
_CHECKS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "type": lambda name, value: _TYPES[name](value),
    "enum": lambda allowed, value: value in allowed,
    "const": lambda only, value: value == only,
    "minimum": lambda least, value: value >= least,
    "maximum": lambda most, value: value <= most,
    "exclusiveMinimum": lambda bound, value: value > bound,
    "minLength": lambda least, value: len(value) >= least,
    "maxLength": lambda most, value: len(value) <= most,
    "maxProperties": lambda most, value: len(value) <= most,
    "pattern": lambda pattern, value: re.search(pattern, value) is not None,
    "required": lambda names, value: set(names) <= set(value),
    "format": lambda name, value: _FORMATS[name](value),
}


def _is_date_time(value: str) -> bool:
    try:
        return datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


_FORMATS: Final[Mapping[str, Callable[[str], bool]]] = {
    "date-time": _is_date_time,
    "uri": lambda value: bool(urlsplit(value).scheme),
}


_Nested = Callable[[Any, Mapping[str, Any], Any, str], Iterator[str]]


def problems(schema: Mapping[str, Any], value: Any) -> list[str]:
    """Returns every violation of the schema in a document, each with its path."""
    return list(_Document(schema).problems(schema, value, "$"))


class _Document:
    """A schema document with resolvable references."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        #: Checks for keywords about parts of a value; called with (operand, schema, value, path).
        self._nested: Mapping[str, _Nested] = {
            "$ref": self._reference,
            "anyOf": self._any_of,
            "oneOf": self._one_of,
            "properties": self._properties,
            "additionalProperties": self._additional,
            "propertyNames": self._names,
            "items": self._items,
        }

    def problems(self, schema: Mapping[str, Any], value: Any, path: str) -> Iterator[str]:
        if "type" in schema and not _TYPES[schema["type"]](value):
            yield f"{path}: {value!r} is no {schema['type']}"
            return  # the other keywords apply only to values of that type
        for keyword, operand in schema.items():
            if keyword in self._nested:
                yield from self._nested[keyword](operand, schema, value, path)
            elif keyword not in _ANNOTATIONS and not _CHECKS[keyword](operand, value):
                yield f"{path}: {value!r} breaks {keyword} {operand!r}"

    def _reference(self, name: str, _: Any, value: Any, path: str) -> Iterator[str]:
        yield from self.problems(self._root["$defs"][name.removeprefix("#/$defs/")], value, path)

    def _any_of(self, options: Any, _: Any, value: Any, path: str) -> Iterator[str]:
        tried = [list(self.problems(option, value, path)) for option in options]
        if [] not in tried:
            yield from (problem for found in tried for problem in found)

    def _one_of(self, options: Any, schema: Any, value: Any, path: str) -> Iterator[str]:
        yield from self._any_of(options, schema, value, path)
        if sum(not list(self.problems(option, value, path)) for option in options) > 1:
            yield f"{path}: more than one of oneOf"

    def _properties(self, known: Any, _: Any, value: Any, path: str) -> Iterator[str]:
        for name in known.keys() & value.keys():
            yield from self.problems(known[name], value[name], f"{path}.{name}")

    def _additional(self, allowed: Any, schema: Any, value: Any, path: str) -> Iterator[str]:
        for name in value.keys() - schema.get("properties", {}).keys():
            if allowed is False:
                yield f"{path}: {name} is not known"
            else:
                yield from self.problems(allowed, value[name], f"{path}.{name}")

    def _names(self, wanted: Any, _: Any, value: Any, path: str) -> Iterator[str]:
        for name in value:
            yield from self.problems(wanted, name, f"{path}.{name}")

    def _items(self, wanted: Any, _: Any, value: Any, path: str) -> Iterator[str]:
        for number, item in enumerate(value):
            yield from self.problems(wanted, item, f"{path}[{number}]")
