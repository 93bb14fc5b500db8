"""Says which changes of the OpenAPI and the AsyncAPI document break clients and consumers. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from tools.compatibility import Direction, Form, form_breaks

Document = Mapping[str, Any]

_ANNOTATIONS: Final = frozenset({"description", "summary", "example", "examples", "title"})
_MAPS: Final = frozenset({"properties", "headers", "schemas", "messages"})
#: What stands in a document for people, or for one host alone.
_UNCOMPARED: Final = frozenset({"info", "servers", "tags"})


def openapi_breaks(old: Document, new: Document) -> list[str]:
    """Returns what breaks a client that was written for the earlier document."""
    return list(_openapi_breaks(old, new))


def asyncapi_breaks(old: Document, new: Document) -> list[str]:
    """Returns what breaks a consumer that was written for the earlier document."""
    return list(_asyncapi_breaks(old, new))


def bare(document: Document, prefix: str = "") -> dict[str, Any]:
    """Returns a document without what is for people, and only its paths that begin so."""
    found = {key: _bare(part) for key, part in document.items() if key not in _UNCOMPARED}
    if "paths" in found:
        found["paths"] = {
            path: at for path, at in found["paths"].items() if path.startswith(prefix)
        }
    return found


def _bare(part: Any, *, named: bool = False) -> Any:
    if isinstance(part, list):
        return [_bare(each) for each in part]
    if isinstance(part, Mapping):
        return {
            name: _bare(each, named=name in _MAPS)
            for name, each in part.items()
            if named or name not in _ANNOTATIONS
        }
    return part


def _openapi_breaks(old: Document, new: Document) -> Iterator[str]:
    for path, methods in old["paths"].items():
        for method, before in methods.items():
            at = f"{method.upper()} {path}"
            after = new["paths"].get(path, {}).get(method)
            if after is None:
                yield f"{at}: gone"
                continue
            for part in ("operationId", "security"):
                if before.get(part) != after.get(part):
                    yield f"{at}: another {part}"
            yield from _parameter_breaks(before, after, (old, new), at)
            yield from _request_breaks(before, after, (old, new), at)
            yield from _answer_breaks(before, after, (old, new), at)


Documents = tuple[Document, Document]


def _compared(
    before: Document, after: Document, documents: Documents, direction: Direction, at: str
) -> Iterator[str]:
    old, new = documents
    yield from form_breaks(Form(before, old), Form(after, new), direction, at)


def _parameters(operation: Document) -> dict[str, Any]:
    return {f"{each['in']} {each['name']}": each for each in operation.get("parameters", ())}


def _parameter_breaks(
    before: Document, after: Document, documents: Documents, at: str
) -> Iterator[str]:
    was, now = _parameters(before), _parameters(after)
    for name, parameter in now.items():
        required = parameter.get("required", False)
        if required and not was.get(name, {}).get("required", False):
            yield f"{at} {name}: {'now' if name in was else 'new and'} required"
    for name, parameter in was.items():
        if name not in now:
            yield f"{at} {name}: gone"
        else:
            schemas = (parameter["schema"], now[name]["schema"])
            yield from _compared(*schemas, documents, Direction.SENT, f"{at} {name}")


def _request_breaks(
    before: Document, after: Document, documents: Documents, at: str
) -> Iterator[str]:
    was, now = before.get("requestBody", {}), after.get("requestBody", {})
    if now.get("required", False) and not was.get("required", False):
        yield f"{at} body: now required"
    yield from _content_breaks(was, now, documents, Direction.SENT, f"{at} body")


def _answer_breaks(
    before: Document, after: Document, documents: Documents, at: str
) -> Iterator[str]:
    for status, was in before["responses"].items():
        now = after["responses"].get(status)
        if now is None:
            if status.startswith("2"):
                yield f"{at} {status}: gone"
            continue
        yield from _content_breaks(was, now, documents, Direction.READ, f"{at} {status}")
        for name in was.get("headers", {}):
            if name not in now.get("headers", {}):
                yield f"{at} {status} {name}: gone"


def _content_breaks(
    was: Document, now: Document, documents: Documents, direction: Direction, at: str
) -> Iterator[str]:
    contents = now.get("content", {})
    for kind, content in was.get("content", {}).items():
        if kind not in contents:
            yield f"{at}: no longer {kind}"
        else:
            schemas = (content["schema"], contents[kind]["schema"])
            yield from _compared(*schemas, documents, direction, at)


def _asyncapi_breaks(old: Document, new: Document) -> Iterator[str]:
    for topic, before in old["channels"].items():
        after = new["channels"].get(topic)
        if after is None or after["address"] != before["address"]:
            yield f"{topic}: gone"
            continue
        yield from _topic_breaks(before, after, topic)
        for name in before["messages"]:
            if name not in after["messages"]:
                yield f"{topic} {name}: gone"
                continue
            was, now = (each["components"]["messages"][name] for each in (old, new))
            yield from _message_breaks(was, now, (old, new), topic)


def _topic_breaks(before: Document, after: Document, topic: str) -> Iterator[str]:
    was, now = (each["bindings"]["kafka"]["topicConfiguration"] for each in (before, after))
    if was["cleanup.policy"] != now["cleanup.policy"]:
        yield f"{topic}: another cleanup.policy"
    if now["retention.ms"] != -1 and not 0 <= was["retention.ms"] <= now["retention.ms"]:
        yield f"{topic}: a shorter retention"
    if now["max.message.bytes"] > was["max.message.bytes"]:
        yield f"{topic}: larger records"


def _message_breaks(
    was: Document, now: Document, documents: Documents, topic: str
) -> Iterator[str]:
    if was["contentType"] != now["contentType"]:
        yield f"{topic}: another contentType"
    for part in ("headers", "payload"):
        yield from _compared(was[part], now[part], documents, Direction.READ, f"{topic} {part}")
    old, new = (each["bindings"]["kafka"]["key"] for each in (was, now))
    yield from _compared(old, new, documents, Direction.READ, f"{topic} key")
