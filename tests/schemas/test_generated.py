"""Files made from the models are what the models say now."""

from collections.abc import Iterator

import pytest

from schemas.settings import GROUPS
from schemas.topics import TOPICS
from tools import configuration_page as configuration
from tools.generate import DIRECTORY, MODELS, schema_of


@pytest.mark.parametrize("name", MODELS)
def test_a_json_schema_file_is_as_its_model(name: str) -> None:
    """Consumers read the files; a change of a model is a change of its file, seen in review."""
    file = DIRECTORY / f"{name}.schema.json"
    assert file.read_text() == schema_of(name), "out of date: run `python -m tools.generate`"


def test_there_is_a_file_for_each_topic_whose_values_are_ours() -> None:
    """And no file of a topic that is gone; a provider's bodies are its own."""
    files = {file.name.removesuffix(".schema.json") for file in DIRECTORY.iterdir()}
    assert files == set(MODELS)
    assert files == {topic.name for topic in TOPICS} - {
        "provider-webhooks",
        "provider-webhooks-unrouted",
        "dead-letters",
    }


def test_the_page_of_settings_is_as_the_settings() -> None:
    """What an operator reads is what the programs read."""
    message = f"out of date: run `{configuration.COMMAND}`"
    assert configuration.PATH.read_text() == configuration.text(), message


def _rows() -> Iterator[list[str]]:
    for line in configuration.text().splitlines():
        if line.startswith("| `"):
            yield [cell.strip() for cell in line.strip("|").split("|")]


def test_every_variable_has_a_row_that_says_all() -> None:
    """Its name, its meaning, its default or that there is none, and what it takes."""
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
def test_a_row_says_what_the_code_does(variable: str) -> None:
    """One of each kind: default and bounds."""
    (row,) = (row for row in _rows() if row[0] == f"`{variable}`")
    assert (row[2], row[3]) == ROWS[variable]


def test_a_meaning_is_shown_as_it_is_written() -> None:
    """What looks like a tag would vanish from the page."""
    (row,) = (row for row in _rows() if row[0] == "`PAYMENTS_API_KEYS`")
    assert row[1] == "API keys as tenant:&lt;SHA-256 of the key in hex>, comma-separated."
