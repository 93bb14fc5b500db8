"""The description is read rightly: as strict as it says, and no stricter."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any, Final

import pytest

from tests.contracts.description import Description, json_schema

KINDS: Final = ("payment_intent", "charge", "refund", "dispute", "event", "webhook_endpoint")


#: What Stripe's examples have and its description doesn't: a property of the past.
UNDESCRIBED: Final[Mapping[str, list[str]]] = {
    "payment_intent": ["$: source is not known"],
    "charge": ["$: source is not known"],
}


@pytest.mark.parametrize("kind", KINDS)
def test_stripes_own_example_is_allowed(
    description: Description, examples: dict[str, Any], kind: str
) -> None:
    """What Stripe publishes as an example has nothing else that is wrong."""
    found = description.object_problems(kind, examples[kind], expanded=True)
    assert found == UNDESCRIBED.get(kind, [])


GONE: Final = object()
#: A place in the example of a payment intent, what is put there, and what is found wrong with it.
BROKEN: Final[Mapping[str, tuple[tuple[str, ...], Any, str]]] = {
    "a required property is missing": (("status",), GONE, "breaks required"),
    "a type is wrong": (("amount",), "10", "$.amount: '10' is no integer"),
    "a word is none of the enum's": (("status",), "paid", "$.status: 'paid' breaks enum"),
    "null where none is allowed": (("livemode",), None, "$.livemode: None is no boolean"),
    "a property is misspelt": (("staus",), "succeeded", "$: staus is not known"),
    "a currency in capitals": (("currency",), "EUR", "$.currency: 'EUR' breaks pattern"),
    "a time before all time": (("created",), -1, "$.created: -1 breaks minimum"),
    "metadata that is no text": (("metadata",), {"a": 1}, "$.metadata.a: 1 is no string"),
    "something wrong in an object inside": (
        ("payment_method_options", "card"),
        {"request_three_d_secure": "never"},
        "'never' breaks enum",
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_is_not_allowed_is_found(
    description: Description, examples: dict[str, Any], what: str
) -> None:
    """Each kind of deviation is named with its place."""
    (*way, last), value, said = BROKEN[what]
    intent = deepcopy(examples["payment_intent"])
    place = intent
    for name in way:
        place = place[name]
    if value is GONE:
        del place[last]
    else:
        place[last] = value
    before = description.object_problems("payment_intent", examples["payment_intent"])
    found = set(description.object_problems("payment_intent", intent)) - set(before)
    assert any(said in each for each in found), found


def test_an_object_may_stand_in_place_of_its_id_where_it_was_asked_for(
    description: Description, examples: dict[str, Any]
) -> None:
    """Then it is held to its own description."""
    charge = {name: value for name, value in examples["charge"].items() if name != "source"}
    dispute = {**examples["dispute"], "charge": charge}
    assert description.object_problems("dispute", dispute) != []
    assert description.object_problems("dispute", dispute, expanded=True) == []
    charge["amount"] = "10"
    assert description.object_problems("dispute", dispute, expanded=True) != []


def test_a_keyword_that_is_not_known_is_not_passed_over() -> None:
    """A newer description may say more than is understood here."""
    with pytest.raises(KeyError, match="oneOf"):
        json_schema({"oneOf": [{"type": "string"}]}, expanded=False)
