"""The simulator's events of older API versions differ from the newest as Stripe's pages say."""

from collections.abc import Callable
from typing import Any, Final

import pytest

from tests.contracts.description import Description
from tests.contracts.later import as_described
from tests.contracts.old_forms import DIFFERENCES, EVENT, has_type, without_differences
from tests.contracts.scenarios import (
    authenticated,
    captured_and_voided,
    declined,
    paid_in_steps,
    refunded,
)
from tests.providers.stripe.test_versions import VERSIONS
from tests.simulator.harness import Received, Simulator, running

Json = dict[str, Any]

*OLD, NEWEST = VERSIONS
SCENARIOS: Final[tuple[Callable[[Simulator], None], ...]] = (
    paid_in_steps,
    declined,
    authenticated,
    refunded,
    captured_and_voided,
)
#: The kind of object in each list that older forms have.
LISTS: Final = {"charges": "charge", "refunds": "refund"}


@pytest.fixture(scope="module")
def rendered() -> dict[str, dict[str, Json]]:
    """By event ID and version, each event as an endpoint of that version gets it."""
    with running() as simulator:
        (preset,) = simulator.client.v1.webhook_endpoints.list().data
        for version in OLD:
            params: Any = {"url": preset.url, "enabled_events": ["*"], "api_version": version}
            simulator.client.v1.webhook_endpoints.create(params)
        for scenario in SCENARIOS:
            scenario(simulator)
        listed = simulator.client.v1.events.list({"limit": 100}).auto_paging_iter()
        due = {(e.id, v) for e in listed for v in VERSIONS if has_type(v, e.type)}
        seen: dict[str, dict[str, Json]] = {}
        read = 0

        def all_came(received: list[Received]) -> bool:
            nonlocal read
            for item in received[read:]:
                event = item.event
                seen.setdefault(event["id"], {})[event["api_version"]] = event
            read = len(received)
            return due <= {(each, version) for each in seen for version in seen[each]}

        simulator.receiver.wait(all_came)
    return seen


@pytest.mark.parametrize("version", OLD)
def test_an_older_form_is_the_newest_but_for_the_known_differences(
    rendered: dict[str, dict[str, Json]], version: str
) -> None:
    """Without what Stripe's changelog names, both are the same, field by field."""
    compared = 0
    for forms in rendered.values():
        newest, old = forms[NEWEST], forms.get(version)
        assert (old is not None) is has_type(version, newest["type"]), newest["type"]
        if old is None:
            continue
        assert old["api_version"] == version
        kind = newest["data"]["object"]["object"]
        around, about = (
            without_differences(one, other, named, version)
            for one, other, named in (
                (newest, old, EVENT),
                (newest["data"]["object"], old["data"]["object"], kind),
            )
        )
        assert about[0] == about[1]
        newest, old = (_but_content(form) for form in around)
        assert newest == old
        compared += 1
    assert compared > len(SCENARIOS)


def _but_content(event: Json) -> Json:
    return {name: part for name, part in event.items() if name not in {"api_version", "data"}}


def test_every_difference_was_seen(rendered: dict[str, dict[str, Json]]) -> None:
    """Each row is about an object of which some scenario causes an event."""
    kinds = {
        form["data"]["object"]["object"] for forms in rendered.values() for form in forms.values()
    }
    assert {row.kind for row in DIFFERENCES} - {EVENT} <= kinds
    statuses = {
        form["data"]["object"].get("status")
        for forms in rendered.values()
        for form in forms.values()
        if form["data"]["object"]["object"] == "payment_intent"
    }
    old_names = {v for row in DIFFERENCES for named in row.values.values() for v in named.values()}
    assert old_names <= statuses


@pytest.mark.parametrize("name", LISTS)
def test_the_lists_in_older_objects_have_objects_as_described(
    description: Description, rendered: dict[str, dict[str, Json]], name: str
) -> None:
    """Those of the newest description: the changelog names no other form of theirs."""
    lists = [
        form["data"]["object"][name]
        for forms in rendered.values()
        for version, form in forms.items()
        if version < "2022-11-15" and name in form["data"]["object"]
    ]
    assert any(each["data"] for each in lists)
    for each in lists:
        assert {"object", "data", "has_more"} <= each.keys()
        for item in each["data"]:
            assert description.object_problems(LISTS[name], as_described(item)) == []


def test_an_old_request_is_named_by_its_id_alone(rendered: dict[str, dict[str, Json]]) -> None:
    """Before 2017-05-25."""
    old = min(VERSIONS)
    for forms in rendered.values():
        if old in forms:
            assert forms[old]["request"] == forms[NEWEST]["request"]["id"]


def test_an_old_next_action_is_authorize_with_url(rendered: dict[str, dict[str, Json]]) -> None:
    """Before 2019-02-11 a redirect had that name, with the same URLs."""
    pairs = [
        (
            forms[NEWEST]["data"]["object"]["next_action"],
            form["data"]["object"]["next_source_action"],
        )
        for forms in rendered.values()
        for version, form in forms.items()
        if version < "2019-02-11" and "next_source_action" in form["data"]["object"]
    ]
    redirects = [(new, old) for new, old in pairs if new and new["type"] == "redirect_to_url"]
    assert redirects
    for new, old in redirects:
        assert old == {"type": "authorize_with_url", "authorize_with_url": new["redirect_to_url"]}
    assert all(old == new for new, old in pairs if (new, old) not in redirects)
