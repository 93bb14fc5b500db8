"""Commands, results and HTTP bodies: encoding and decoding agree, and invalid input is refused."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

import schemas.http
from schemas.commands import VALUE, Command, ReleasePayment
from schemas.http import CreateRequest
from schemas.model import Model
from schemas.results import ProviderResult
from tests.compatibility.json_schema import problems
from tests.schemas.examples import COMMANDS, RELEASE, RESULTS, published_schema

MESSAGES = (*COMMANDS, RELEASE, *RESULTS)
SCHEMAS = {
    "command": published_schema("payment-commands"),
    "result": published_schema("provider-results"),
}


def _read(document: Any) -> Model:
    text = json.dumps(document)
    if "type" in document:
        return VALUE.validate_json(text)
    return ProviderResult.model_validate_json(text)


def _schema(document: Any) -> Any:
    return SCHEMAS["command" if "type" in document else "result"]


def _named(message: Model) -> str:
    return type(message).__name__


@pytest.mark.parametrize("message", MESSAGES, ids=_named)
def test_decoding_returns_the_encoded_message(
    message: Command | ReleasePayment | ProviderResult,
) -> None:
    """All fields are equal, and the message is valid by the JSON Schema file."""
    document = json.loads(message.model_dump_json())
    assert _read(document) == message
    assert problems(_schema(document), document) == []


@pytest.mark.parametrize("message", MESSAGES, ids=_named)
def test_an_unknown_field_is_refused(
    message: Command | ReleasePayment | ProviderResult,
) -> None:
    """It may be a misspelt field, so it is not ignored."""
    document = {**json.loads(message.model_dump_json()), "amuont": 1}
    with pytest.raises(ValidationError, match="amuont"):
        _read(document)
    assert problems(_schema(document), document) != []


def _required() -> Iterator[tuple[Model, str]]:
    for message in MESSAGES:
        for name, field in type(message).model_fields.items():
            if field.is_required():
                yield message, name


@pytest.mark.parametrize(("message", "name"), list(_required()))
def test_a_missing_field_is_refused(
    message: Command | ReleasePayment | ProviderResult, name: str
) -> None:
    """The error names it."""
    document = json.loads(message.model_dump_json())
    del document[name]
    with pytest.raises(ValidationError, match=name):
        _read(document)
    assert problems(_schema(document), document) != []


def test_every_command_has_an_example() -> None:
    """The operator's release is not a command that a client can send."""
    kinds = {command.type for command in COMMANDS}
    assert kinds == {"create", "confirm", "capture", "cancel", "refund"}
    assert kinds | {RELEASE.type} == set(SCHEMAS["command"]["discriminator"]["mapping"])
    with pytest.raises(ValidationError, match="release"):
        TypeAdapter[Command](Command).validate_json(RELEASE.model_dump_json())


CREATE = json.loads(COMMANDS[0].model_dump_json())
WRONG: dict[str, tuple[str, Any]] = {
    "an unknown kind": ("type", "void"),
    "an amount as text": ("amount", "1999"),
    "an amount with a fraction": ("amount", 19.99),
    "an amount that is a whole float": ("amount", 1999.0),
    "an amount that is true": ("amount", True),
    "no amount": ("amount", 0),
    "a negative amount": ("amount", -1),
    "an amount of thirteen digits": ("amount", 1_000_000_000_000),
    "a currency in lower case": ("currency", "eur"),
    "a currency of four characters": ("currency", "EURO"),
    "a currency and a new line": ("currency", "EUR\n"),
    "an ID with another alphabet": ("payment_id", f"pay_{'1' * 30}"),
    "an ID and a new line": ("payment_id", CREATE["payment_id"] + "\n"),
    "an empty tenant": ("tenant", ""),
    "a text of 501 characters": ("description", "a" * 501),
    "a text with NUL": ("description", "a\0b"),
    "a time without a zone": ("received_at", "2026-01-01T00:00:00"),
    "zero attempts": ("max_attempts", 0),
    "eleven attempts": ("max_attempts", 11),
    "an unknown capture method": ("capture_method", "later"),
    "metadata that is no text": ("metadata", {"a": 1}),
    "a metadata key of 41 characters": ("metadata", {"k" * 41: ""}),
    "an empty metadata key": ("metadata", {"": "x"}),
    "a metadata value of 501 characters": ("metadata", {"a": "v" * 501}),
    "metadata of 41 keys": ("metadata", {str(number): "" for number in range(41)}),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_value_is_refused(case: str) -> None:
    """No value is rounded, truncated or converted."""
    name, value = WRONG[case]
    with pytest.raises(ValidationError):
        _read({**CREATE, name: value})


@pytest.mark.parametrize("key", ["payment_id]", "a][payment_id", "[", "a[b]"])
def test_a_metadata_key_has_no_brackets(key: str) -> None:
    """In Stripe's form encoding it could overwrite another parameter, such as our payment ID."""
    with pytest.raises(ValidationError, match="square brackets"):
        _read({**CREATE, "metadata": {key: "x"}})
    with pytest.raises(ValidationError, match="square brackets"):
        CreateRequest(amount=1, currency="EUR", payment_method="pm_1", metadata={key: "x"})


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"outcome": "acknowledged", "object_id": None}, "send object_id if and only if"),
        ({"outcome": "refused"}, "if and only if"),
        ({"refusal": {"code": "no", "message": ""}}, "send refusal if and only if"),
        ({"outcome": "succeeded"}, "outcome"),
        ({"operation": "void"}, "operation"),
    ],
)
def test_a_result_is_an_acknowledgement_or_a_refusal(change: dict[str, Any], named: str) -> None:
    """It is exactly one of the two, and never a success."""
    acknowledged = json.loads(RESULTS[0].model_dump_json())
    with pytest.raises(ValidationError, match=named):
        _read({**acknowledged, **change})


def _models(base: type[Model]) -> Iterator[type[Model]]:
    for model in base.__subclasses__():
        yield model
        yield from _models(model)


def test_every_model_is_frozen_and_refuses_unknown_fields() -> None:
    """This applies to models on topics and over HTTP."""
    models = list(_models(Model))
    assert schemas.http.CreateRequest in models
    for model in models:
        assert model.model_config.get("extra") == "forbid", model
        assert model.model_config.get("frozen") is True, model
