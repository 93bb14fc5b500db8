"""Bodies in the OpenAPI document: each is a named component, and has an example.

A schema of what clients send is as strict as the service. A schema of what they get never forbids
a field that it does not name: the next release may add one.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from ingress.documents import published

Json = dict[str, Any]

_PREFIX: Final = "#/components/schemas/"


def operations(document: Json) -> Iterator[Json]:
    """Yields every operation of the document."""
    for path in document["paths"].values():
        yield from path.values()


def name_bodies(document: Json) -> None:
    """Moves every body's schema that has a title, and what it defines, to the components."""
    components = document["components"]["schemas"]
    for content in _contents(document):
        schema = content.get("schema", {})
        if "title" in schema and "$ref" not in schema:
            for name, part in schema.pop("$defs", {}).items():
                components.setdefault(name, part)
            components.setdefault(schema["title"], schema)
            content["schema"] = {"$ref": f"{_PREFIX}{schema['title']}"}


def open_answers(document: Json) -> None:
    """Lets every schema that no request needs take unknown fields."""
    asked = _reachable(document, (operation.get("requestBody", {}) for operation in
                                  operations(document)))  # fmt: skip
    for name, schema in document["components"]["schemas"].items():
        if name not in asked:
            published.open_to_additions(schema)


def drop_unused(document: Json) -> None:
    """Removes the components that no operation leads to."""
    used = _reachable(document, iter([document["paths"]]))
    schemas = document["components"]["schemas"]
    for name in schemas.keys() - used:
        del schemas[name]


def drop_titles(document: Json) -> None:
    """Removes the titles of fields and parameters, which only repeat their names."""
    for name, schema in document["components"]["schemas"].items():
        _untitle(schema)
        schema["title"] = name
    for operation in operations(document):
        for parameter in operation.get("parameters", ()):
            _untitle(parameter["schema"])


def never_null(parameter: Json) -> None:
    """A parameter is left out or has a value: there is no null in an address or a header."""
    schema = parameter["schema"]
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    if len(kinds) == 1:
        del schema["anyOf"]
        parameter["schema"] = {**kinds[0], **schema}


def show_parts(document: Json) -> None:
    """Gives each component that a body's example has a part for that part as its example."""
    for content in _contents(document):
        shown = [each["value"] for each in content.get("examples", {}).values()]
        for example in (*shown, *([content["example"]] if "example" in content else [])):
            _show(document["components"]["schemas"], content.get("schema", {}), example)


def _contents(document: Json) -> Iterator[Json]:
    """Yields the content of every body, by media type."""
    for operation in operations(document):
        yield from operation.get("requestBody", {}).get("content", {}).values()
        for answer in operation["responses"].values():
            yield from answer.get("content", {}).values()


def _reachable(document: Json, parts: Iterator[Any]) -> set[str]:
    """Returns the names of all components that the parts refer to, directly or not."""
    found: set[str] = set()
    waiting = list(parts)
    while waiting:
        part = waiting.pop()
        if isinstance(part, list):
            waiting += part
        elif isinstance(part, dict):
            waiting += part.values()
            name = str(part.get("$ref", "")).removeprefix(_PREFIX)
            if name in document["components"]["schemas"] and name not in found:
                found.add(name)
                waiting.append(document["components"]["schemas"][name])
    return found


def _untitle(schema: Json) -> None:
    for part in published.parts(schema):
        part.pop("title", None)


def _show(components: Json, schema: Mapping[str, Any], example: Any) -> None:
    name = schema.get("$ref", "").removeprefix(_PREFIX)
    if name:
        if "enum" not in components[name]:
            components[name].setdefault("examples", [example])
        schema = components[name]
    if isinstance(example, dict):
        for field, part in schema.get("properties", {}).items():
            if field in example:
                _show(components, part, example[field])
    if isinstance(example, list):
        for each in example[:1]:
            _show(components, schema.get("items", {}), each)
    # of several forms a null is no example, and which one an object has, only one form leaves open
    forms = [form for form in schema.get("anyOf", ()) if form != {"type": "null"}]
    if example is not None and len(forms) == 1:
        _show(components, forms[0], example)
