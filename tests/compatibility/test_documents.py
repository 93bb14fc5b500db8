"""Which changes of the API's and the topics' documents break clients and consumers."""

import copy
from collections.abc import Callable
from typing import Any, Final

import pytest

from tools.compatible_documents import asyncapi_breaks, bare, openapi_breaks

Json = dict[str, Any]
Change = Callable[[Json], object]
PATH: Final = "/v1/payments/{id}"
OPENAPI: Final[Json] = {
    "info": {"title": "Payments"},
    "paths": {
        PATH: {
            "post": {
                "operationId": "change_payment",
                "summary": "Change it",
                "security": [{"ApiKey": []}],
                "parameters": [
                    {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}},
                    {"name": "limit", "in": "query", "schema": {"type": "integer", "maximum": 9}},
                ],
                "requestBody": {
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/In"}}}
                },
                "responses": {
                    "200": {
                        "headers": {"Location": {"schema": {"type": "string"}}},
                        "content": {
                            "application/json": {"schema": {"$ref": "#/components/schemas/Out"}}
                        },
                    },
                    "409": {"content": {}},
                },
            }
        },
        "/healthz": {"get": {"operationId": "healthz", "responses": {}}},
    },
    "components": {
        "schemas": {
            "In": {
                "type": "object",
                "properties": {"amount": {"type": "integer"}, "description": {"type": "string"}},
            },
            "Out": {
                "type": "object",
                "properties": {"id": {"type": "string"}},
                "required": ["id"],
            },
        }
    },
}


def _post(document: Json) -> Json:
    found: Json = document["paths"][PATH]["post"]
    return found


def _schema(name: str) -> Callable[[Json], Json]:
    return lambda document: document["components"]["schemas"][name]


REFUSED: Final[dict[str, tuple[Change, str]]] = {
    "a path is gone": (lambda d: d["paths"].pop(PATH), "POST /v1/payments/{id}: gone"),
    "a method is gone": (lambda d: d["paths"][PATH].pop("post"), "gone"),
    "an operation has another name": (
        lambda d: _post(d).update(operationId="alter_payment"), "another operationId",
    ),
    "another way to authenticate": (lambda d: _post(d).update(security=[]), "another security"),
    "a parameter is gone": (lambda d: _post(d)["parameters"].pop(), "query limit: gone"),
    "a new parameter is required": (
        lambda d: _post(d)["parameters"].append(
            {"name": "why", "in": "query", "required": True, "schema": {"type": "string"}}
        ),
        "query why: new and required",
    ),
    "a parameter is required now": (
        lambda d: _post(d)["parameters"][1].update(required=True), "query limit: now required",
    ),
    "a parameter takes less": (
        lambda d: _post(d)["parameters"][1]["schema"].update(maximum=8), "query limit: another",
    ),
    "the body is required now": (
        lambda d: _post(d)["requestBody"].update(required=True), "body: now required",
    ),
    "the body has another form": (
        lambda d: _post(d)["requestBody"].update(content={"text/plain": {"schema": {}}}),
        "body: no longer application/json",
    ),
    "a field of the body is no longer taken": (
        lambda d: _schema("In")(d)["properties"].pop("description"), "body.description: gone",
    ),
    "a success is gone": (lambda d: _post(d)["responses"].pop("200"), "200: gone"),
    "a field of the answer is gone": (
        lambda d: _schema("Out")(d)["properties"].pop("id"), "200.id: gone",
    ),
    "a header of the answer is gone": (
        lambda d: _post(d)["responses"]["200"]["headers"].pop("Location"), "200 Location: gone",
    ),
    "the answer is of another kind": (
        lambda d: _post(d)["responses"]["200"].update(content={}), "no longer application/json",
    ),
}  # fmt: skip
PASSES: Final[dict[str, Change]] = {
    "nothing changes": lambda d: d,
    "a new path": lambda d: d["paths"].update({"/v1/operations": {"get": {"responses": {}}}}),
    "a new optional parameter": lambda d: _post(d)["parameters"].append(
        {"name": "why", "in": "query", "schema": {"type": "string"}}
    ),
    "a new optional field of the body": lambda d: _schema("In")(d)["properties"].update(a={}),
    "a new field of the answer": lambda d: _schema("Out")(d)["properties"].update(a={}),
    "a new header": lambda d: _post(d)["responses"]["200"]["headers"].update(ETag={}),
    "a problem is no longer possible": lambda d: _post(d)["responses"].pop("409"),
    "a new problem": lambda d: _post(d)["responses"].update({"410": {"content": {}}}),
    "another summary": lambda d: _post(d).update(summary="Other words", description="More."),
    "deprecated": lambda d: _post(d).update(deprecated=True),
}


def _changed(document: Json, change: Change) -> Json:
    found = copy.deepcopy(document)
    change(found)
    return found


@pytest.mark.parametrize("case", REFUSED)
def test_a_change_that_breaks_clients_is_refused(case: str) -> None:
    """It says where, and what."""
    change, said = REFUSED[case]
    assert said in "; ".join(openapi_breaks(OPENAPI, _changed(OPENAPI, change)))


@pytest.mark.parametrize("case", PASSES)
def test_a_change_that_clients_do_not_notice_passes(case: str) -> None:
    """What they send is taken, and what they get is there."""
    assert openapi_breaks(OPENAPI, _changed(OPENAPI, PASSES[case])) == []


def test_a_frozen_document_has_no_words_and_only_what_is_promised() -> None:
    """But a field may be called ``description``."""
    found = bare(OPENAPI, "/v1/")
    assert list(found["paths"]) == [PATH]
    assert "summary" not in found["paths"][PATH]["post"]
    assert "info" not in found
    assert "description" in found["components"]["schemas"]["In"]["properties"]
    assert openapi_breaks(found, OPENAPI) == []


ASYNCAPI: Final[Json] = {
    "channels": {
        "payment-state": {
            "address": "payment-state",
            "messages": {"Payment": {"$ref": "#/components/messages/Payment"}},
            "bindings": {
                "kafka": {
                    "topicConfiguration": {
                        "cleanup.policy": ["delete"], "retention.ms": 9, "max.message.bytes": 9,
                    }
                }
            },
        }
    },
    "components": {
        "messages": {
            "Payment": {
                "contentType": "application/json",
                "headers": {
                    "type": "object",
                    "properties": {"ce_type": {"const": "v1"}},
                    "required": ["ce_type"],
                },
                "payload": {"$ref": "#/components/schemas/Payment"},
                "bindings": {"kafka": {"key": {"type": "string", "pattern": "^pay_"}}},
            }
        },
        "schemas": {"Payment": {"type": "object", "properties": {"id": {"type": "string"}}}},
    },
}  # fmt: skip


def _topic(document: Json) -> Json:
    found: Json = document["channels"]["payment-state"]["bindings"]["kafka"]["topicConfiguration"]
    return found


def _message(document: Json) -> Json:
    found: Json = document["components"]["messages"]["Payment"]
    return found


REFUSED_TO_CONSUMERS: Final[dict[str, tuple[Change, str]]] = {
    "a topic is gone": (lambda d: d["channels"].clear(), "payment-state: gone"),
    "a topic has another name": (
        lambda d: d["channels"]["payment-state"].update(address="payments"), "gone",
    ),
    "a message is gone": (
        lambda d: d["channels"]["payment-state"].update(messages={}), "Payment: gone",
    ),
    "another form": (lambda d: _message(d).update(contentType="avro"), "another contentType"),
    "another type of the event": (
        lambda d: _message(d)["headers"]["properties"]["ce_type"].update(const="v2"), "headers",
    ),
    "a header may be absent": (
        lambda d: _message(d)["headers"].update(required=[]), "headers.ce_type: may now be absent",
    ),
    "another key": (
        lambda d: _message(d)["bindings"]["kafka"].update(key={"type": "string"}), "key: another",
    ),
    "a field is gone": (
        lambda d: d["components"]["schemas"]["Payment"].update(properties={}), "payload.id: gone",
    ),
    "it is compacted": (
        lambda d: _topic(d).update({"cleanup.policy": ["compact"]}), "another cleanup.policy",
    ),
    "records go earlier": (lambda d: _topic(d).update({"retention.ms": 8}), "a shorter retention"),
    "records are larger": (
        lambda d: _topic(d).update({"max.message.bytes": 10}), "larger records",
    ),
}  # fmt: skip
PASSES_TO_CONSUMERS: Final[dict[str, Change]] = {
    "nothing changes": lambda d: d,
    "a new topic": lambda d: d["channels"].update({"more": {}}),
    "a new header": lambda d: _message(d)["headers"]["properties"].update(more={"type": "string"}),
    "records stay longer": lambda d: _topic(d).update({"retention.ms": 10}),
    "records stay for ever": lambda d: _topic(d).update({"retention.ms": -1}),
    "records are smaller": lambda d: _topic(d).update({"max.message.bytes": 8}),
}


@pytest.mark.parametrize("case", REFUSED_TO_CONSUMERS)
def test_a_change_that_breaks_consumers_is_refused(case: str) -> None:
    """It says where, and what."""
    change, said = REFUSED_TO_CONSUMERS[case]
    assert said in "; ".join(asyncapi_breaks(ASYNCAPI, _changed(ASYNCAPI, change)))


@pytest.mark.parametrize("case", PASSES_TO_CONSUMERS)
def test_a_change_that_consumers_do_not_notice_passes(case: str) -> None:
    """They ignore what they do not know."""
    assert asyncapi_breaks(ASYNCAPI, _changed(ASYNCAPI, PASSES_TO_CONSUMERS[case])) == []


def test_records_that_stayed_for_ever_may_not_go() -> None:
    """A retention of -1 is longer than any other."""
    kept = _changed(ASYNCAPI, PASSES_TO_CONSUMERS["records stay for ever"])
    assert asyncapi_breaks(kept, ASYNCAPI) == ["payment-state: a shorter retention"]
