"""What client generators need of the OpenAPI document, one rule a test.

A generator names its functions by the operations' IDs and its types by the components, so both
have to be there and to stay.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

import httpx
import pytest

from ingress.errors import PROBLEMS
from tests.compatibility.json_schema import problems as violations

pytestmark = pytest.mark.anyio

Json = dict[str, Any]
_SNAKE: Final = re.compile(r"[a-z]+(_[a-z]+)*")
_COMPONENT: Final = re.compile(r"#/components/schemas/[A-Z][A-Za-z]+")


@pytest.fixture
async def document(anonymous: httpx.AsyncClient) -> Json:
    """The document as a client gets it."""
    found: Json = (await anonymous.get("/openapi.json")).json()
    return found


def _operations(document: Json) -> Iterator[Json]:
    for methods in document["paths"].values():
        yield from methods.values()


def _contents(document: Json) -> Iterator[tuple[str, Json]]:
    """The content of every body, with its place."""
    for operation in _operations(document):
        name = operation["operationId"]
        for kind, content in operation.get("requestBody", {}).get("content", {}).items():
            yield f"{name} request {kind}", content
        for status, answer in operation["responses"].items():
            for kind, content in answer.get("content", {}).items():
                yield f"{name} {status} {kind}", content


def _shown(content: Json) -> list[Any]:
    named = [example["value"] for example in content.get("examples", {}).values()]
    return named + ([content["example"]] if "example" in content else [])


def _violations(document: Json, schema: Json, value: Any) -> list[str]:
    """What of a value breaks a schema of the document."""
    text = json.dumps({"$defs": document["components"]["schemas"], **schema})
    return violations(json.loads(text.replace("#/components/schemas/", "#/$defs/")), value)


async def test_every_operation_has_a_stable_id(document: Json) -> None:
    """It is a name in snake case that does not follow from the path."""
    names = [operation["operationId"] for operation in _operations(document)]
    assert [name for name in names if not _SNAKE.fullmatch(name)] == []
    assert len(set(names)) == len(names)
    assert {
        "create_payment", "confirm_payment", "capture_payment", "cancel_payment", "refund_payment",
        "list_payments", "get_payment", "get_timeline", "get_client_secret", "receive_webhook",
    } <= set(names)  # fmt: skip


async def test_every_operation_has_a_summary_of_its_own(document: Json) -> None:
    """It says what the operation does, and is not made of the function's name."""
    summaries = {op["operationId"]: op["summary"] for op in _operations(document)}
    assert len(set(summaries.values())) == len(summaries)
    for name, summary in summaries.items():
        assert summary.lower() != name.replace("_", " "), name
        assert " " in summary, name
        assert not summary.endswith("."), name


async def test_every_operation_has_a_tag_that_is_explained(document: Json) -> None:
    """No tag is explained that no operation has."""
    explained = {tag["name"] for tag in document["tags"] if tag["description"].endswith(".")}
    assert {tag for operation in _operations(document) for tag in operation["tags"]} == explained


async def test_every_body_is_a_named_component(document: Json) -> None:
    """A generator would make up a name for any other, and another one at the next change."""
    for place, content in _contents(document):
        schema = content["schema"]
        for part in schema.get("anyOf", [schema]):
            assert part.keys() == {"$ref"}, place
            assert _COMPONENT.fullmatch(part["$ref"]), place


async def test_every_body_has_an_example_that_follows_its_schema(document: Json) -> None:
    """So do the examples of the components."""
    for place, content in _contents(document):
        assert _shown(content), place
        for example in _shown(content):
            assert _violations(document, content["schema"], example) == [], place
    shown = 0
    for name, schema in document["components"]["schemas"].items():
        for example in schema.get("examples", ()):
            shown += 1
            assert _violations(document, {"$ref": f"#/components/schemas/{name}"}, example) == []
    assert shown > 40


async def test_every_problem_has_a_component_and_an_example_of_its_own_type(document: Json) -> None:
    """And every answer with a problem may be of a type that is not known yet."""
    found = set()
    for place, content in _contents(document):
        if not place.endswith("application/problem+json"):
            continue
        *named, last = [part["$ref"].rpartition("/")[2] for part in content["schema"]["anyOf"]]
        assert last == "Problem", place
        assert len(named) == len(content["examples"]), place
        for name, (slug, example) in zip(named, content["examples"].items(), strict=True):
            fields = document["components"]["schemas"][name]["properties"]
            assert fields["type"]["const"] == example["value"]["type"] == f"/problems/{slug}"
            assert fields["status"]["const"] == example["value"]["status"]
            assert place.split()[1] == str(example["value"]["status"])
            found.add(slug)
    everywhere = {"not-found"}  # where there is no operation
    assert found == {kind.slug for kind in PROBLEMS} - everywhere


async def test_every_operation_says_what_any_request_can_come_to(document: Json) -> None:
    """Also what the server answers before the request reaches the operation."""
    for operation in _operations(document):
        slugs = {
            slug
            for answer in operation["responses"].values()
            for slug in answer.get("content", {})
            .get("application/problem+json", {})
            .get("examples", {})
        }
        assert slugs >= {
            "malformed-request", "head-too-slow", "head-too-large", "too-many-connections",
            "internal-error",
        }, operation["operationId"]  # fmt: skip
        for answer in operation["responses"].values():
            assert "X-Request-Id" in answer["headers"]


async def test_every_answer_that_may_have_waited_says_so(document: Json) -> None:
    """Whichever the operation is that takes a preference, and whether it was decided."""
    waiting = 0
    for operation in _operations(document):
        parameters = {each["name"] for each in operation.get("parameters", ())}
        for status, answer in operation["responses"].items():
            expected = "Prefer" in parameters and status < "4"
            assert ("Preference-Applied" in answer["headers"]) == expected, operation["operationId"]
            waiting += expected
    assert waiting >= 10


async def test_the_page_sends_no_condition_of_its_own(document: Json) -> None:
    """It fills its form with examples, and a version that the payment is not at is a rejection.

    That it waits for the decision is what a reader wants to see.
    """
    shown: dict[str, list[Any]] = {}
    for operation in _operations(document):
        for each in operation.get("parameters", ()):
            examples = [each[word] for word in ("example", "examples") if word in each]
            shown.setdefault(each["name"], []).extend(
                [*examples, *each["schema"].get("examples", [])]
            )
    assert shown["If-Match"] == shown["If-None-Match"] == []
    assert set(shown["Prefer"]) == {"wait=5"}


async def test_no_answer_forbids_a_field_that_it_does_not_name(document: Json) -> None:
    """The next release may add one. Requests stay strict: a misspelt field is an error."""
    schemas = document["components"]["schemas"]
    closed = {
        name for name, s in schemas.items() if '"additionalProperties": false' in json.dumps(s)
    }
    assert closed == {
        "CreateRequest", "ConfirmRequest", "CaptureRequest", "CancelRequest", "RefundRequest",
    }  # fmt: skip


async def test_no_component_is_unused(document: Json) -> None:
    """A reader would look for the operation that has it."""
    text = json.dumps(document)
    for name in document["components"]["schemas"]:
        assert f'"#/components/schemas/{name}"' in text, name


async def test_no_parameter_can_be_null(document: Json) -> None:
    """It is left out instead; an address has no null."""
    for operation in _operations(document):
        for parameter in operation.get("parameters", ()):
            assert "null" not in json.dumps(parameter["schema"]), parameter["name"]


async def test_the_document_says_where_the_service_is_and_what_may_change(document: Json) -> None:
    """The server is where the document was read: no address is built in."""
    assert [server["url"] for server in document["servers"]] == ["/"]
    for word in ("`deprecated`", "`Sunset`", "`x-open`"):
        assert word in document["info"]["description"]
