"""The validator enforces exactly what Stripe's description requires."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any, Final

import pytest

from tests.contracts.description import Description, json_schema

KINDS: Final = ("payment_intent", "charge", "refund", "dispute", "event", "webhook_endpoint")


#: An obsolete property in Stripe's examples that its description no longer has.
UNDESCRIBED: Final[Mapping[str, list[str]]] = {
    "payment_intent": ["$: source is not known"],
    "charge": ["$: source is not known"],
}


@pytest.mark.parametrize("kind", KINDS)
def test_stripes_own_example_is_allowed(
    description: Description, examples: dict[str, Any], kind: str
) -> None:
    """Stripe's examples have no other violations."""
    found = description.object_problems(kind, examples[kind], expanded=True)
    assert found == UNDESCRIBED.get(kind, [])


DELETED: Final = object()
#: A path in the example payment intent, the value put there, and the violation to be found.
BROKEN: Final[Mapping[str, tuple[tuple[str, ...], Any, str]]] = {
    "a required property is missing": (("status",), DELETED, "breaks required"),
    "a type is wrong": (("amount",), "10", "$.amount: '10' is no integer"),
    "a value is not in the enum": (("status",), "paid", "$.status: 'paid' breaks enum"),
    "null where none is allowed": (("livemode",), None, "$.livemode: None is no boolean"),
    "a property is misspelt": (("staus",), "succeeded", "$: staus is not known"),
    "a currency in capitals": (("currency",), "EUR", "$.currency: 'EUR' breaks pattern"),
    "a negative time": (("created",), -1, "$.created: -1 breaks minimum"),
    "metadata that is no text": (("metadata",), {"a": 1}, "$.metadata.a: 1 is no string"),
    "a violation in a nested object": (
        ("payment_method_options", "card"),
        {"request_three_d_secure": "never"},
        "'never' breaks enum",
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_violation_is_found(
    description: Description, examples: dict[str, Any], what: str
) -> None:
    """Each kind of violation is reported with its path."""
    (*parents, last), value, expected = BROKEN[what]
    intent = deepcopy(examples["payment_intent"])
    place = intent
    for name in parents:
        place = place[name]
    if value is DELETED:
        del place[last]
    else:
        place[last] = value
    before = description.object_problems("payment_intent", examples["payment_intent"])
    found = set(description.object_problems("payment_intent", intent)) - set(before)
    assert any(expected in each for each in found), found


def test_an_expanded_object_is_allowed_in_place_of_its_id(
    description: Description, examples: dict[str, Any]
) -> None:
    """The expanded object is validated too."""
    charge = {name: value for name, value in examples["charge"].items() if name != "source"}
    dispute = {**examples["dispute"], "charge": charge}
    assert description.object_problems("dispute", dispute) != []
    assert description.object_problems("dispute", dispute, expanded=True) == []
    charge["amount"] = "10"
    assert description.object_problems("dispute", dispute, expanded=True) != []


def test_an_unknown_keyword_is_an_error() -> None:
    """A newer description may use keywords that the validator doesn't support."""
    with pytest.raises(KeyError, match="oneOf"):
        json_schema({"oneOf": [{"type": "string"}]}, expanded=False)
