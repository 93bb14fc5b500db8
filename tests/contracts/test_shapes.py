"""The webhooks in the service's tests have the shapes that Stripe publishes."""

import json
from typing import Any, Final

import pytest

from tests.contracts.description import Description
from tests.contracts.later import as_described
from tests.service.events.table import PAYOUT, ROWS
from tests.service.events.webhooks import SHAPES, Subject, event

KINDS: Final = sorted(path.stem for path in SHAPES.glob("*.json"))
SUBJECT: Final = Subject("row0", 1_767_225_600, f"pay_{'a' * 30}", "ref_a")
REPORTED: Final = {"a payout": (PAYOUT,)} | {
    name: (*row.first, row.report) for name, row in ROWS.items()
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_shape_is_stripes_own_example(
    description: Description, examples: dict[str, Any], kind: str
) -> None:
    """Each shape is the published example's described properties; an event's lacks its object."""
    published = description.described(kind, examples[kind])
    if kind == "event":
        del published["data"]
    assert json.loads((SHAPES / f"{kind}.json").read_bytes()) == published


@pytest.mark.parametrize("name", REPORTED)
def test_each_webhook_is_as_described(description: Description, name: str) -> None:
    """The event and its object match; the object has every property of its shape."""
    for reported in REPORTED[name]:
        made = event(SUBJECT, reported)
        about = made["data"]["object"]
        assert description.object_problems("event", made) == []
        assert description.object_problems(reported.about, as_described(about)) == []
        assert json.loads((SHAPES / f"{reported.about}.json").read_bytes()).keys() <= about.keys()
