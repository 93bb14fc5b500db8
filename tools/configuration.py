"""Renders groups of settings as Markdown, with one table per group."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic_settings import BaseSettings

from schemas.settings_types import DURATION_MAX_S

_HEAD: Final = (
    "| Variable | Meaning | Default | Takes |",
    "| --- | --- | --- | --- |",
)
#: The kind of a value, by the type and format in its JSON Schema.
_KINDS: Final[Mapping[tuple[str, str], str]] = {
    ("integer", ""): "whole number",
    ("number", ""): "number",
    ("string", ""): "text",
    ("string", "password"): "secret",
    ("string", "path"): "path",
    ("string", "file-path"): "path of a file",
    ("boolean", ""): "true or false",
    ("string", "uri"): "URL",
    ("array", ""): "list",
    ("object", ""): "list",
}
#: By type: the keyword that limits a value's size, and its unit.
_UNITS: Final[Mapping[str, tuple[str, str, str]]] = {
    "string": ("minLength", "character", "characters"),
    "array": ("minItems", "item", "items"),
    "object": ("minProperties", "item", "items"),
}


@dataclass(frozen=True, slots=True)
class Section:
    """Groups of settings under one heading, with an introduction."""

    title: str
    about: str
    groups: Sequence[type[BaseSettings]]


def page(title: str, about: str, sections: Sequence[Section]) -> str:
    """Returns the page."""
    parts = [f"# {title}", about]
    for section in sections:
        parts += [f"## {section.title}", section.about]
        for group in section.groups:
            meaning = " ".join((group.__doc__ or "").split())
            alone = len(section.groups) == 1
            parts.append(meaning if alone else f"### {meaning.removesuffix('.')}")
            parts.append("\n".join(_table(group)))
    return "\n\n".join(parts) + "\n"


def _table(group: type[BaseSettings]) -> Iterator[str]:
    yield from _HEAD
    schema = group.model_json_schema()
    prefix = group.model_config["env_prefix"]
    for name, field in group.model_fields.items():
        field_schema = schema["properties"][name]
        cells = (
            f"`{prefix}{name}`".upper(),
            (field.description or "").replace("<", "&lt;"),
            "**required**" if field.is_required() else _default(field_schema["default"]),
            _takes(field_schema),
        )
        yield f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


def _default(value: Any) -> str:
    if value is None:
        return "not set"
    return f"`{_number(value) if isinstance(value, float) else value}`"


def _takes(field_schema: Mapping[str, Any]) -> str:
    """Returns the kind of a value and its bounds."""
    kinds = [
        kind for kind in field_schema.get("anyOf", (field_schema,)) if kind.get("type") != "null"
    ]
    (schema,) = kinds
    kind = schema.get("type", "string")
    words = [_KINDS[kind, schema.get("format", "")], *_bounds(schema)]
    if "pattern" in schema:
        words.append(f"`{schema['pattern']}`")
    if kind in _UNITS and schema.get("format") != "uri":
        keyword, one, many = _UNITS[kind]
        least = schema.get(keyword, 0)
        if least:
            words.append(f"at least {least} {one if least == 1 else many}")
    return ", ".join(words)


def _bounds(schema: Mapping[str, Any]) -> Iterator[str]:
    least, most = schema.get("minimum"), schema.get("maximum")
    if most == DURATION_MAX_S:  # the page says it once
        most = None
    if "exclusiveMinimum" in schema:
        yield f"above {_number(schema['exclusiveMinimum'])}"
    if least is not None and most is not None:
        yield f"{_number(least)} to {_number(most)}"
    elif least is not None:
        yield f"at least {_number(least)}"
    elif most is not None:
        yield f"at most {_number(most)}"


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else str(value)
