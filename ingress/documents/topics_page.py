"""A page about the topics, for people: the AsyncAPI document as HTML, without any script."""

import json
import re
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any, Final

_STYLE: Final = """\
body { font: 16px/1.5 sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em; color: #222 }
table { border-collapse: collapse; width: 100%; margin: 1em 0 }
td, th { border: 1px solid #ccc; padding: .3em .6em; text-align: left; vertical-align: top }
code, pre { background: #f4f4f4; font-family: monospace }
pre { padding: 1em; overflow-x: auto }
"""
_INLINE: Final = (
    (re.compile(r"\*\*(.+?)\*\*"), r"<strong>\1</strong>"),
    (re.compile(r"`(.+?)`"), r"<code>\1</code>"),
    (re.compile(r"\[(.+?)\]\((.+?)\)"), r'<a href="\2">\1</a>'),
)


def page(document: Mapping[str, Any], source: str) -> str:
    """Returns the page.

    Args:
        document: the AsyncAPI document.
        source: its address.
    """
    return "\n".join(_page(document, source))


def _page(document: Mapping[str, Any], source: str) -> Iterator[str]:
    yield '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">'
    yield f"<title>Payments: topics</title>\n<style>\n{_STYLE}</style>\n</head>\n<body>"
    yield f'<h1>Topics</h1>\n<p>For programs: <a href="{source}">AsyncAPI</a>.</p>'
    yield from _text(document["info"]["description"])
    for name, channel in document["channels"].items():
        (message,) = (document["components"]["messages"][each] for each in channel["messages"])
        yield f'<h2 id="{name}">{name}</h2>'
        yield from _text(channel["description"])
        settings = channel["bindings"]["kafka"]["topicConfiguration"]
        yield from _pairs({key: _value(value) for key, value in settings.items()})
        yield f"<p>Key: {_inline(message['bindings']['kafka']['key']['description'])}</p>"
        schemas = document["components"]["schemas"]
        yield "<h3>Headers</h3>"
        yield from _fields(_resolved(message["headers"], schemas), schemas)
        yield "<h3>Value</h3>"
        yield from _fields(_resolved(message["payload"], schemas), schemas)
        for example in message.get("examples", ()):
            shown = json.dumps(example["payload"], indent=2, ensure_ascii=False)
            yield f"<h4>Example: {escape(example['name'])}</h4>\n<pre>{escape(shown)}</pre>"
    yield "</body>\n</html>"


def _text(text: str) -> Iterator[str]:
    """Yields paragraphs and lists."""
    for block in text.strip().split("\n\n"):
        if block.startswith("- "):
            items = (f"<li>{_inline(item)}</li>" for item in block[2:].split("\n- "))
            yield f"<ul>{''.join(items)}</ul>"
        else:
            yield f"<p>{_inline(block)}</p>"


def _inline(text: str) -> str:
    shown = escape(text, quote=False)
    for pattern, replacement in _INLINE:
        shown = pattern.sub(replacement, shown)
    return shown


def _value(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)


def _pairs(pairs: Mapping[str, str]) -> Iterator[str]:
    rows = (f"<tr><th>{escape(k)}</th><td>{escape(v)}</td></tr>" for k, v in pairs.items())
    yield f"<table>{''.join(rows)}</table>"


def _resolved(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = schemas.get(schema.get("$ref", "").rpartition("/")[2], schema)
    return found


def _fields(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Iterator[str]:
    """Yields a table of the fields, also those of the objects in it."""
    yield f"<p>{_inline(schema.get('description', ''))}</p>"
    rows = list(_rows(schema, schemas, ""))
    if rows:
        yield f"<table><tr><th>field</th><th>meaning</th></tr>{''.join(rows)}</table>"


def _rows(schema: Mapping[str, Any], schemas: Mapping[str, Any], before: str) -> Iterator[str]:
    required = schema.get("required", ())
    for name, part in schema.get("properties", {}).items():
        said = _inline(part.get("description", ""))
        absent = "" if name in required else " May be absent."
        words = [v for each in _forms(part, schemas) for v in each.get("enum", ())]
        listed = f" One of: {', '.join(map(escape, words))}." if words else ""
        field = f"<code>{before}{escape(name)}</code>"
        yield f"<tr><td>{field}</td><td>{said}{listed}{absent}</td></tr>"
        for form in _forms(part, schemas):
            if "properties" in form:
                yield from _rows(form, schemas, f"{before}{escape(name)}.")


def _forms(part: Mapping[str, Any], schemas: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yields the schemas that a field's value, or each element of it, can have."""
    found = _resolved(part, schemas)
    inner = [*found.get("anyOf", ()), *found.get("oneOf", ())]
    if "items" in found:
        inner.append(found["items"])
    if inner:
        for each in inner:
            yield from _forms(each, schemas)
    else:
        yield found
