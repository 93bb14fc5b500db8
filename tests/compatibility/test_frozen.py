"""The formats still are what others were promised: what was frozen, and additions to it."""

import copy
from pathlib import Path

import pytest

from tools import formats, freeze
from tools.generate import NAMES

EVERY_FILE = {f"{name}.schema.json" for name in NAMES} | {"openapi.json", "asyncapi.json"}


def test_no_format_has_changed_but_by_additions() -> None:
    """A client and a consumer that were written for the frozen formats go on working.

    If this fails, the change breaks somebody: docs/compatibility.md says what to do instead.
    """
    frozen = formats.frozen()
    assert frozen.keys() == EVERY_FILE
    assert formats.incompatible(frozen, formats.current()) == []


def test_every_format_that_others_have_is_compared() -> None:
    """The bodies and operations of the API, the topics that others read, and what the log keeps."""
    found = formats.current()
    assert found.keys() == EVERY_FILE
    assert "/v1/payments" in found["openapi.json"]["paths"]
    assert all(path.startswith("/v1/") for path in found["openapi.json"]["paths"])
    assert "payment-operations" in found["asyncapi.json"]["channels"]


@pytest.mark.parametrize("name", sorted(EVERY_FILE))
def test_a_field_that_goes_is_noticed_in_each_format(name: str) -> None:
    """And so is a format that goes."""
    now = formats.current()
    changed = copy.deepcopy(now)
    schemas = [changed[name], *changed[name].get("$defs", {}).values()]
    schemas += changed[name].get("components", {}).get("schemas", {}).values()
    for schema in schemas:
        schema.get("properties", {}).pop("payment_id", None)
        schema.get("properties", {}).pop("status", None)
    assert any("gone" in change for change in formats.incompatible(now, changed))
    del changed[name]
    assert f"{name}: gone" in formats.incompatible(now, changed)


def test_freezing_takes_additions_and_refuses_the_rest(tmp_path: Path) -> None:
    """What is refused is named, and nothing is written."""
    assert freeze.freeze(tmp_path) == []
    assert formats.frozen(tmp_path) == formats.current()
    state = tmp_path / "payment-state.schema.json"
    earlier = formats.frozen(tmp_path)[state.name]
    fewer = copy.deepcopy(earlier)
    del fewer["properties"]["updated_at"]
    state.write_text(formats.text_of(fewer))
    assert freeze.freeze(tmp_path) == []
    assert formats.frozen(tmp_path)[state.name] == earlier
    more = copy.deepcopy(earlier)
    more["properties"]["surprise"] = {"type": "string"}
    state.write_text(formats.text_of(more))
    assert freeze.freeze(tmp_path) == ["payment-state.schema.json: $.surprise: gone"]
    assert formats.frozen(tmp_path)[state.name] == more
