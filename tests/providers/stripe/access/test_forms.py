"""What answers in Stripe's place, such as a proxy, gives no object or list of Stripe's."""

from typing import Any

import pytest

from providers.stripe.access.fetched import is_list, is_object

OBJECT = {"object": "refund", "id": "re_1"}


def test_objects_and_lists_have_their_form() -> None:
    """A page may be empty."""
    assert is_object(OBJECT)
    assert is_list({"object": "list", "data": [OBJECT], "has_more": False})
    assert is_list({"object": "search_result", "data": [], "has_more": True})


@pytest.mark.parametrize(
    "other",
    [None, [], "x", 7, {}, {"id": "re_1"}, {"object": "refund"}, {"object": "refund", "id": None}],
)
def test_anything_else_is_no_object(other: Any) -> None:
    """Nor is a list of which one item is none, or that does not say whether it goes on."""
    assert not is_object(other)
    assert not is_list(other)
    page = {"object": "list", "data": [OBJECT, other], "has_more": False}
    assert is_list(page) is isinstance(other, dict)
    assert not is_list({"object": "list", "data": other or None, "has_more": False})
    assert not is_list({"object": "list", "data": [], "has_more": other})
