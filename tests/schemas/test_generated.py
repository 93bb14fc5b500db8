"""Generated files are up to date with the models."""

from collections.abc import Iterator

import pytest

from schemas.settings import GROUPS
from schemas.topics import TOPICS
from tools import configuration_page as configuration
from tools.generate import DIRECTORY, NAMES, schema_of


@pytest.mark.parametrize("name", NAMES)
def test_a_json_schema_file_matches_its_model(name: str) -> None:
    """Consumers read the files, so a change of a model must show in review."""
    file = DIRECTORY / f"{name}.schema.json"
    assert file.read_text() == schema_of(name), "out of date: run `python -m tools.generate`"


def test_each_topic_with_our_own_values_has_a_file() -> None:
    """No other files exist. Providers define the bodies on the other topics."""
    files = {file.name.removesuffix(".schema.json") for file in DIRECTORY.glob("*.json")}
    assert files == set(NAMES)
    assert files == {topic.name for topic in TOPICS} - {
        "provider-webhooks",
        "provider-webhooks-unrouted",
        "dead-letters",
    }


def test_the_page_of_settings_is_up_to_date() -> None:
    """It documents the settings as the programs read them."""
    message = f"out of date: run `{configuration.COMMAND}`"
    assert configuration.PATH.read_text() == configuration.text(), message


def _rows() -> Iterator[list[str]]:
    for line in configuration.text().splitlines():
        if line.startswith("| `"):
            yield [cell.strip() for cell in line.strip("|").split("|")]


def test_every_variable_has_a_complete_row() -> None:
    """A row has the name, the meaning, the default or "required", and the allowed values."""
    rows = list(_rows())
    names = [row[0] for row in rows]
    assert len(set(names)) == len(names)
    for group in GROUPS:
        for field in group.model_fields:
            assert f"`PAYMENTS_{field.upper()}`" in names
    for row in rows:
        assert len(row) == 4
        assert all(row), row


ROWS = {
    "PAYMENTS_PARTITIONS": ("`4`", "whole number, 1 to 1024"),
    "PAYMENTS_API_KEYS": ("**required**", "list, at least 1 item"),
    "PAYMENTS_STRIPE_API_KEY": ("**required**", "secret, at least 8 characters"),
    "PAYMENTS_STRIPE_TIMEOUT_S": ("`20`", "number, above 0"),
    "PAYMENTS_BODY_LIMIT_BYTES": ("`262144`", "whole number, 1024 to 1000000"),
    "PAYMENTS_SANDBOX_DIRECTORY": ("`.sandbox`", "path"),
    "PAYMENTS_SANDBOX_KAFKA_HEAP": ("`512m`", r"text, `^\d+[mg]$`"),
    "PAYMENTS_SIMULATOR_WEBHOOK_URL": ("not set", "URL"),
    "PAYMENTS_SIMULATOR_FAULTS": ("`none`", "text"),
    "PAYMENTS_SIMULATOR_EVENT_RETENTION_S": ("`2592000`", "number, above 0"),
}


@pytest.mark.parametrize("variable", ROWS)
def test_a_row_has_the_default_and_the_bounds(variable: str) -> None:
    """The table has one variable of each kind."""
    (row,) = (row for row in _rows() if row[0] == f"`{variable}`")
    assert (row[2], row[3]) == ROWS[variable]


def test_a_meaning_is_escaped() -> None:
    """Unescaped text that looks like a tag would vanish from the page."""
    (row,) = (row for row in _rows() if row[0] == "`PAYMENTS_API_KEYS`")
    assert row[1] == "API keys as tenant:&lt;SHA-256 of the key in hex>, comma-separated."
