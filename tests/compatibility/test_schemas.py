"""Which changes of a schema break those who have its earlier form, one a case."""

import copy
from collections.abc import Callable
from typing import Any, Final

import pytest

from tools.compatibility import Direction, breaks

Json = dict[str, Any]
Change = Callable[[Json], object]
#: A schema with a field of each kind.
PAYMENT: Final[Json] = {
    "$defs": {
        "Status": {"type": "string", "enum": ["CREATED", "SUCCEEDED"]},
        "Refund": {
            "type": "object",
            "properties": {"amount": {"type": "integer", "minimum": 0}},
            "required": ["amount"],
        },
        "Page": {
            "type": "object",
            "properties": {"type": {"type": "string", "const": "page"}, "url": {"type": "string"}},
            "required": ["type", "url"],
        },
        "Sdk": {
            "type": "object",
            "properties": {"type": {"type": "string", "enum": ["sdk", "method"]}},
            "required": ["type"],
        },
    },
    "type": "object",
    "properties": {
        "id": {"type": "string", "pattern": "^pay_"},
        "status": {"$ref": "#/$defs/Status"},
        "outcome": {"type": "string", "enum": ["applied"], "x-open": True},
        "amount": {"type": "integer", "exclusiveMinimum": 0, "maximum": 10},
        "text": {"anyOf": [{"type": "string", "maxLength": 5}, {"type": "null"}]},
        "at": {"type": "string", "format": "date-time"},
        "kind": {"type": "string", "default": "card"},
        "refunds": {"type": "array", "items": {"$ref": "#/$defs/Refund"}},
        "action": {"oneOf": [{"$ref": "#/$defs/Page"}, {"$ref": "#/$defs/Sdk"}]},
        "metadata": {
            "type": "object",
            "additionalProperties": {"type": "string"},
            "propertyNames": {"maxLength": 40},
            "maxProperties": 40,
        },
    },
    "required": ["id", "status", "amount"],
}


def _field(name: str, **to: Any) -> Change:
    return lambda schema: schema["properties"][name].update(to)


def _without(name: str, keyword: str) -> Change:
    return lambda schema: schema["properties"][name].pop(keyword)


def _new(name: str, *, required: bool) -> Change:
    def change(schema: Json) -> None:
        schema["properties"][name] = {"type": "string"}
        schema["required"] += [name] if required else []

    return change


def _renamed(schema: Json) -> None:
    schema["properties"]["sum"] = schema["properties"].pop("amount")
    schema["required"] = ["id", "status", "sum"]


def _nullable(name: str) -> Change:
    def change(schema: Json) -> None:
        schema["properties"][name] = {"anyOf": [schema["properties"][name], {"type": "null"}]}

    return change


def _defined(name: str, **to: Any) -> Change:
    return lambda schema: schema["$defs"][name].update(to)


def _nothing(schema: Json) -> None:
    """Leaves the schema as it is."""


_MORE: Final = ["CREATED", "SUCCEEDED", "LOST"]
_TEXT: Final = {"type": "string"}
#: Each with a part of what is said about it.
REFUSED_TO_READERS: Final[dict[str, tuple[Change, str]]] = {
    "a field is gone": (lambda s: s["properties"].pop("text"), "$.text: gone"),
    "a field has another name": (_renamed, "$.amount: gone"),
    "a field has another type": (_field("amount", type="string"), "$.amount: was integer"),
    "a whole number may have a fraction": (_field("amount", type="number"), "is number"),
    "a field may be absent": (lambda s: s["required"].remove("amount"), "may now be absent"),
    "a field may be null": (_nullable("amount"), "$.amount: may now be null"),
    "a value is new": (_defined("Status", enum=_MORE), "$.status: the value LOST"),
    "any value is possible": (lambda s: s["$defs"]["Status"].pop("enum"), "any value"),
    "a new form of an object": (
        lambda s: s["properties"]["action"]["oneOf"].append(
            {"type": "object", "properties": {"type": {"type": "string", "const": "call"}},
             "required": ["type"]}
        ),
        "$.action",
    ),
    "a number is larger": (_field("amount", maximum=11), "another maximum"),
    "a number has no bound": (_without("amount", "maximum"), "another maximum"),
    "zero is possible": (_field("amount", exclusiveMinimum=-1), "another exclusiveMinimum"),
    "a text is longer": (
        lambda s: s["properties"]["text"]["anyOf"][0].update(maxLength=6),
        "another maxLength",
    ),
    "another pattern": (_field("id", pattern="^p_"), "another pattern"),
    "no pattern": (_without("id", "pattern"), "another pattern"),
    "another format of a time": (_without("at", "format"), "another format"),
    "a nested field is gone": (_defined("Refund", properties={}, required=[]), "refunds[].amount"),
    "a field of one form is gone": (
        lambda s: s["$defs"]["Page"]["properties"].pop("url"), "$.action.url: gone",
    ),
    "keys are longer": (_field("metadata", propertyNames={"maxLength": 41}), "$.metadata{name}"),
    "values of a map are of another type": (
        _field("metadata", additionalProperties={"type": "integer"}), "$.metadata{}",
    ),
    "values of a map are of any type": (_without("metadata", "additionalProperties"), "{}"),
    "more keys": (_field("metadata", maxProperties=41), "another maxProperties"),
    "further fields are forbidden": (lambda s: s.update(additionalProperties=False), "no longer"),
    "open values are closed": (_without("outcome", "x-open"), "$.outcome: no longer open"),
    "a keyword without a rule": (_field("amount", multipleOf=2), "no rule for multipleOf"),
}  # fmt: skip
PASSES_TO_READERS: Final[dict[str, Change]] = {
    "nothing changes": _nothing,
    "a new field": _new("more", required=False),
    "a new field that is always there": _new("more", required=True),
    "a field is always there": lambda s: s["required"].append("kind"),
    "a field is never null": _field("text", anyOf=[{"type": "string", "maxLength": 5}]),
    "a new value where more are announced": _field("outcome", enum=["applied", "stale"]),
    "a value that does not come any more": _defined("Status", enum=["CREATED"]),
    "a number is smaller": _field("amount", maximum=9),
    "a text is shorter": lambda s: s["properties"]["text"]["anyOf"][0].update(maxLength=4),
    "a new pattern": _field("kind", pattern="^c"),
    "a nested new field": lambda s: s["$defs"]["Refund"]["properties"].update(reason=_TEXT),
    "another description": _field("id", description="Other words.", title="Other", examples=["x"]),
    "deprecated": _field("kind", deprecated=True),
    "a name of a definition": lambda s: (
        s["$defs"].update(State=s["$defs"].pop("Status")),
        s["properties"]["status"].update({"$ref": "#/$defs/State"}),
    ),
}
REFUSED_TO_SENDERS: Final[dict[str, tuple[Change, str]]] = {
    "a field is no longer taken": (lambda s: s["properties"].pop("text"), "$.text: gone"),
    "a new field is required": (_new("more", required=True), "$.more: new and required"),
    "a field is required now": (lambda s: s["required"].append("kind"), "$.kind: now required"),
    "another type": (_field("amount", type="string"), "$.amount: was integer"),
    "a number has a smaller maximum": (_field("amount", maximum=9), "another maximum"),
    "a number gets a bound": (_field("amount", minimum=3), "another minimum"),
    "a text is shorter": (
        lambda s: s["properties"]["text"]["anyOf"][0].update(maxLength=4), "another maxLength",
    ),
    "null is no longer taken": (
        _field("text", anyOf=[{"type": "string", "maxLength": 5}]), "$.text: no longer null",
    ),
    "a value is no longer taken": (_defined("Status", enum=["CREATED"]), "the value SUCCEEDED"),
    "values are restricted": (_field("kind", enum=["card"]), "$.kind: any value"),
    "a form of an object is no longer taken": (
        lambda s: s["properties"]["action"]["oneOf"].pop(), "$.action",
    ),
    "a new pattern": (_field("kind", pattern="^c"), "another pattern"),
    "another default": (_field("kind", default="bank"), "$.kind: another default"),
    "further fields are forbidden": (lambda s: s.update(additionalProperties=False), "no longer"),
    "keys are shorter": (_field("metadata", propertyNames={"maxLength": 39}), "another maxLength"),
}  # fmt: skip
PASSES_TO_SENDERS: Final[dict[str, Change]] = {
    "nothing changes": _nothing,
    "a new optional field": _new("more", required=False),
    "a field may be left out": lambda s: s["required"].remove("amount"),
    "a field may be null": _nullable("amount"),
    "a further value": _defined("Status", enum=_MORE),
    "a fraction is taken": _field("amount", type="number"),
    "a larger number": _field("amount", maximum=11),
    "no pattern": _without("id", "pattern"),
    "a further form of an object": lambda s: s["properties"]["action"]["oneOf"].append(_TEXT),
    "another description": _field("id", description="Other words."),
}


def _changed(change: Change) -> Json:
    found = copy.deepcopy(PAYMENT)
    change(found)
    return found


@pytest.mark.parametrize("case", REFUSED_TO_READERS)
def test_a_change_that_breaks_readers_is_refused(case: str) -> None:
    """It says where, and what."""
    change, said = REFUSED_TO_READERS[case]
    found = breaks(PAYMENT, _changed(change), Direction.READ)
    assert found
    assert said in "; ".join(found)


@pytest.mark.parametrize("case", PASSES_TO_READERS)
def test_a_change_that_readers_do_not_notice_passes(case: str) -> None:
    """They ignore what they do not know."""
    assert breaks(PAYMENT, _changed(PASSES_TO_READERS[case]), Direction.READ) == []


@pytest.mark.parametrize("case", REFUSED_TO_SENDERS)
def test_a_change_that_breaks_senders_is_refused(case: str) -> None:
    """It says where, and what."""
    change, said = REFUSED_TO_SENDERS[case]
    found = breaks(PAYMENT, _changed(change), Direction.SENT)
    assert found
    assert said in "; ".join(found)


@pytest.mark.parametrize("case", PASSES_TO_SENDERS)
def test_a_change_that_takes_all_that_was_taken_passes(case: str) -> None:
    """They send what they always sent."""
    assert breaks(PAYMENT, _changed(PASSES_TO_SENDERS[case]), Direction.SENT) == []


def test_a_new_field_of_a_closed_object_breaks_its_readers() -> None:
    """Their schema refuses what it does not name."""
    closed = {**PAYMENT, "additionalProperties": False}
    later = {**_changed(_new("more", required=False)), "additionalProperties": False}
    assert breaks(closed, later, Direction.READ) == ["$.more: new in a closed object"]


def test_a_schema_may_contain_itself() -> None:
    """A comparison ends."""
    tree = {
        "$defs": {"Tree": {"type": "array", "items": {"$ref": "#/$defs/Tree"}}},
        "$ref": "#/$defs/Tree",
    }
    assert breaks(tree, copy.deepcopy(tree), Direction.READ) == []
