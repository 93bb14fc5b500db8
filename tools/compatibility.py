"""Says which changes of a format break those who have its earlier form. Pure.

Who reads a value has the earlier schema: every value of the later one must be valid by it, and no
field may be gone. Who sends a value has the earlier one too: all that it allowed must be taken.
Fields may be added in both directions; a closed object of the reader's would forbid even that.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

Schema = Mapping[str, Any]

#: Marks a field whose values may become more: a reader takes one that it does not know.
OPEN: Final = "x-open"
_CLOSED: Final = "additionalProperties"
_NULL: Final = "null"
_NARROWER: Final = {("integer", "number")}
_UNIONS: Final = ("anyOf", "oneOf")
_PLAIN: Final = ("pattern", "format")
_LEAST: Final = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_MOST: Final = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_IGNORED: Final = frozenset(
    {
        "$defs", "$id", "$ref", "$schema", "title", "description", "example", "examples",
        "discriminator", "deprecated", OPEN,
    }
)  # fmt: skip
_KNOWN: Final = _IGNORED | {
    "type", "enum", "const", "default", "properties", "required", "items", "propertyNames",
    _CLOSED, *_UNIONS, *_PLAIN, *_LEAST, *_MOST,
}  # fmt: skip


class Direction(Enum):
    """Who has the earlier form."""

    READ = "others read it"
    SENT = "others send it"


@dataclass(frozen=True)
class Form:
    """A schema within its document, where references lead."""

    schema: Schema
    document: Schema

    def resolved(self) -> "Form":
        """Follows references; what stands beside one counts too."""
        schema = self.schema
        while "$ref" in schema:
            found: Any = self.document
            for part in schema["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            schema = {**found, **{key: value for key, value in schema.items() if key != "$ref"}}
        return Form(schema, self.document)

    def at(self, schema: Schema) -> "Form":
        """Another schema of the same document."""
        return Form(schema, self.document)

    def alternatives(self) -> Sequence["Form"]:
        """The forms that a value can have, each without a union."""
        whole = self.resolved()
        for union in _UNIONS:
            if union in whole.schema:
                return [
                    each
                    for option in whole.schema[union]
                    for each in whole.at(option).alternatives()
                ]
        return [whole]


@dataclass
class _Comparison:
    direction: Direction
    #: References that are being compared already: a schema may contain itself.
    begun: set[tuple[str, str]] = field(default_factory=set)

    def breaks(self, old: Form, new: Form, at: str) -> Iterator[str]:
        names = (old.schema.get("$ref", ""), new.schema.get("$ref", ""))
        if all(names) and names in self.begun:
            return
        self.begun.add(names)
        is_open = bool(old.resolved().schema.get(OPEN))
        if is_open and not new.resolved().schema.get(OPEN) and self.direction is Direction.READ:
            yield f"{at}: no longer open to further values"
        yield from self._default(old.resolved().schema, new.resolved().schema, at)
        before, after = old.alternatives(), new.alternatives()
        if len(before) == len(after) == 1:
            yield from self._same(before[0], after[0], at, is_open=is_open)
            return
        # what can come must be known to who takes it
        coming, known = (after, before) if self.direction is Direction.READ else (before, after)
        for each in coming:
            pairs = [
                (other, each) if self.direction is Direction.READ else (each, other)
                for other in known
            ]
            tried = [list(self._same(o, n, at, is_open=is_open)) for o, n in pairs]
            if [] not in tried:
                yield from self._unmatched(each, at, tried)

    def _unmatched(self, form: Form, at: str, tried: Sequence[list[str]]) -> Iterator[str]:
        """Yields the least that is wrong with an alternative that nothing of the other form is."""
        kind = form.schema.get("type", "value")
        if kind == _NULL:
            yield f"{at}: {'may now be' if self.direction is Direction.READ else 'no longer'} null"
        else:
            yield from min(tried, key=len, default=[f"{at}: another {kind}"])

    def _default(self, old: Schema, new: Schema, at: str) -> Iterator[str]:
        """What is left out means what it meant."""
        if self.direction is Direction.SENT and old.get("default") != new.get("default"):
            yield f"{at}: another default"

    def _same(self, old: Form, new: Form, at: str, *, is_open: bool) -> Iterator[str]:
        was, now = old.schema, new.schema
        unknown = sorted((was.keys() | now.keys()) - _KNOWN)
        if unknown:
            yield f"{at}: no rule for {', '.join(unknown)}"
        wide, narrow = self._wide(was, now), self._wide(now, was)
        if not _fits_type(narrow, wide):
            yield f"{at}: was {was.get('type', 'any value')}, is {now.get('type', 'any value')}"
            return
        yield from _values(narrow, wide, at, is_open=is_open)
        yield from _bounds(narrow, wide, at)
        yield from self._parts(old, new, at)
        yield from self._fields(old, new, at)

    def _wide(self, was: Any, now: Any) -> Any:
        """The one of two that has to allow all that the other allows."""
        return was if self.direction is Direction.READ else now

    def _parts(self, old: Form, new: Form, at: str) -> Iterator[str]:
        """Elements of lists; names and values of maps."""
        for keyword, name in (("items", "[]"), ("propertyNames", "{name}"), (_CLOSED, "{}")):
            was, now = old.schema.get(keyword), new.schema.get(keyword)
            if isinstance(was, Mapping) and isinstance(now, Mapping):
                yield from self.breaks(old.at(was), new.at(now), f"{at}{name}")
            elif keyword != _CLOSED and (was is None) != (now is None):
                yield f"{at}{name}: {'was' if was is not None else 'is'} restricted"
            elif keyword == _CLOSED and was is not False and now is False:
                yield f"{at}: no longer takes other fields"
            elif keyword == _CLOSED and isinstance(self._wide(was, now), Mapping):
                yield f"{at}{name}: was {'' if isinstance(was, Mapping) else 'not '}restricted"

    def _fields(self, old: Form, new: Form, at: str) -> Iterator[str]:
        was, now = old.schema.get("properties", {}), new.schema.get("properties", {})
        needed, needs = old.schema.get("required", ()), new.schema.get("required", ())
        for name in was:
            if name not in now:
                yield f"{at}.{name}: gone"
            else:
                yield from self.breaks(old.at(was[name]), new.at(now[name]), f"{at}.{name}")
        for name in now:
            is_new = name not in was
            if self.direction is Direction.SENT and name in needs and name not in needed:
                yield f"{at}.{name}: {'new and required' if is_new else 'now required'}"
            if self.direction is Direction.READ and name in needed and name not in needs:
                yield f"{at}.{name}: may now be absent"
            if self.direction is Direction.READ and is_new and old.schema.get(_CLOSED) is False:
                yield f"{at}.{name}: new in a closed object"


def breaks(old: Schema, new: Schema, direction: Direction, at: str = "$") -> list[str]:
    """Returns what breaks those who have the earlier schema; each begins with its place."""
    return form_breaks(Form(old, old), Form(new, new), direction, at)


def form_breaks(old: Form, new: Form, direction: Direction, at: str) -> list[str]:
    """The same of schemas within documents."""
    return list(dict.fromkeys(_Comparison(direction).breaks(old, new, at)))


def _fits_type(narrow: Schema, wide: Schema) -> bool:
    kind, kinds = narrow.get("type"), wide.get("type")
    return kinds is None or kind == kinds or (kind, kinds) in _NARROWER


def _values(narrow: Schema, wide: Schema, at: str, *, is_open: bool) -> Iterator[str]:
    """Enumerations, and what can't be compared: patterns and formats."""
    allowed, possible = _enum(wide), _enum(narrow)
    if allowed is not None and not is_open:
        if possible is None:
            yield f"{at}: any value, not only {', '.join(map(str, allowed))}"
        else:
            for value in possible:
                if value not in allowed:
                    yield f"{at}: the value {value} is not known to both"
    for keyword in _PLAIN:
        if keyword in wide and wide[keyword] != narrow.get(keyword):
            yield f"{at}: another {keyword}"


def _enum(schema: Schema) -> Sequence[Any] | None:
    if "const" in schema:
        return [schema["const"]]
    values: Sequence[Any] | None = schema.get("enum")
    return values


def _bounds(narrow: Schema, wide: Schema, at: str) -> Iterator[str]:
    ends: Sequence[tuple[Sequence[str], Callable[[Any, Any], bool]]] = (
        (_LEAST, lambda inner, outer: inner >= outer),
        (_MOST, lambda inner, outer: inner <= outer),
    )
    for keywords, is_within in ends:
        for keyword in keywords:
            inner = narrow.get(keyword)
            if keyword in wide and (inner is None or not is_within(inner, wide[keyword])):
                yield f"{at}: another {keyword}"
