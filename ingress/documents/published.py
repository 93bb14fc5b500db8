"""The JSON Schemas of what the topics carry, as consumers read them.

A consumer reads with the schema of the release that it was written for. So a schema of a published
value never forbids a field that it does not name: the next release may add one.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic import TypeAdapter

from schemas.operations import Operation
from schemas.state import PaymentState
from schemas.topics import PAYMENT_OPERATIONS, PAYMENT_STATE

Json = dict[str, Any]

#: The topics that others read, and whose values are ours.
PUBLISHED: Final[Mapping[str, TypeAdapter[Any]]] = {
    PAYMENT_STATE: TypeAdapter(PaymentState),
    PAYMENT_OPERATIONS: TypeAdapter(Operation),
}
_CLOSED: Final = "additionalProperties"
_MAPS: Final = ("properties", "$defs")
_VALUES: Final = {"example", "examples", "default", "enum", "const"}


def schema_of(topic: str, ref_template: str = "#/$defs/{model}") -> Json:
    """Returns the schema of a topic's values."""
    schema = PUBLISHED[topic].json_schema(ref_template=ref_template)
    open_to_additions(schema)
    return schema


def open_to_additions(schema: Json) -> None:
    """Lets a schema, and every schema in it, take fields that it does not name."""
    for part in parts(schema):
        if part.get(_CLOSED) is False:
            del part[_CLOSED]


def parts(schema: Any) -> Iterator[Json]:
    """Yields a schema and every schema in it; never a map of names, which may be keywords."""
    if isinstance(schema, list):
        for part in schema:
            yield from parts(part)
    elif isinstance(schema, dict):
        yield schema
        for keyword, part in schema.items():
            if keyword not in _VALUES:
                for each in part.values() if keyword in _MAPS else [part]:
                    yield from parts(each)
