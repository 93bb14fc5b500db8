"""The OpenAPI document describes everything in it, and its examples are what the service takes."""

import re
from collections.abc import Iterator
from typing import Any, Final

import httpx
import pytest
from pydantic import TypeAdapter

from schemas import answers, operations
from schemas import http as bodies
from tests.ingress.harness import Log, keyed

pytestmark = pytest.mark.anyio

Json = dict[str, Any]
_MODELS: Final = {**vars(bodies), **vars(answers), **vars(operations)}
#: What tools put where a document has no example.
_FILLER: Final = {"string", "additionalProp1", "0"}
#: Sentences begin with a capital letter, or quote something, and end.
_SENTENCE: Final = re.compile(r"""(?s)[A-Z0-9`"/].*[.)]\Z""")


@pytest.fixture
async def document(anonymous: httpx.AsyncClient) -> Json:
    """The document as a client gets it."""
    found: Json = (await anonymous.get("/openapi.json")).json()
    return found


def _operations(document: Json) -> Iterator[tuple[str, Json]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def _parts(document: Json) -> Iterator[tuple[str, Json]]:
    """Everything that has to be described, with its place in the document."""
    for name, schema in document["components"]["schemas"].items():
        yield name, schema
        for field, part in schema.get("properties", {}).items():
            yield f"{name}.{field}", part
    for name, operation in _operations(document):
        yield name, operation
        for parameter in operation.get("parameters", ()):
            yield f"{name} {parameter['name']}", parameter
        for status, answer in operation["responses"].items():
            yield f"{name} {status}", answer
            for header, part in answer.get("headers", {}).items():
                yield f"{name} {status} {header}", part


async def test_everything_has_a_description(document: Json) -> None:
    """Each body and each of its fields; each operation, parameter, response and header."""
    parts = dict(_parts(document))
    assert {"TimelineEntry.event_id", "CreateRequest.amount"} <= parts.keys()
    bad = [name for name, part in parts.items() if not _SENTENCE.fullmatch(_said(part))]
    assert bad == []


def _said(part: Json) -> str:
    said: str = part.get("description", "")
    return said


async def test_the_id_of_a_refused_record_is_described(document: Json) -> None:
    """It is no event ID of the provider: a client that looks for one has to know its form."""
    entry = document["components"]["schemas"]["TimelineEntry"]["properties"]["event_id"]
    assert "`event-1@provider-webhooks/0/17`" in entry["description"]


async def test_every_required_parameter_and_header_has_a_valid_example(document: Json) -> None:
    """The page fills its form with them."""
    seen = 0
    for name, operation in _operations(document):
        headers = [h for answer in operation["responses"].values() for h in
                   answer.get("headers", {}).values()]  # fmt: skip
        for part in (*operation.get("parameters", ()), *headers):
            seen += 1
            schema = part["schema"]
            if "enum" in schema or part.get("required") is False:
                continue  # the page offers these, and leaves those out
            example = part.get("example", *part.get("examples", schema.get("examples", [])))
            assert example not in {None, *_FILLER}, f"{name} {part.get('name')}"
            assert re.search(schema.get("pattern", ""), example), f"{name} {part.get('name')}"
    assert seen > 10


async def test_every_answer_has_an_example_that_its_model_reads(document: Json) -> None:
    """So no field is missing, unknown or of another type."""
    read = set()
    for name, operation in _operations(document):
        for status, answer in operation["responses"].items():
            for kind, content in answer.get("content", {}).items():
                examples = [e["value"] for e in content.get("examples", {}).values()]
                examples += [content["example"]] if "example" in content else []
                assert examples, f"{name} {status} {kind}"
                schema = content["schema"]
                for example in examples:
                    assert not _FILLER & set(_texts(example)), f"{name} {status}"
                    if kind != "text/plain":
                        model = schema.get("$ref", "/Problem").rpartition("/")[2]
                        TypeAdapter(_MODELS[model]).validate_python(example)
                        read.add(model)
    assert {"AcceptedOperation", "AcceptedPayment", "Payment", "Problem", "Readiness"} <= read


def _texts(value: Any) -> Iterator[str]:
    match value:
        case dict():
            for key, each in value.items():
                yield key
                yield from _texts(each)
        case list():
            for each in value:
                yield from _texts(each)
        case _:
            yield str(value) if isinstance(value, str) else ""


async def test_every_example_of_a_command_is_accepted(
    document: Json, acme: httpx.AsyncClient, log: Log
) -> None:
    """Sent as it is, it is a command on the log; the first one's answer is the shown one."""
    payment_id = (
        await acme.post(
            "/v1/payments", json=_examples(document, "/v1/payments")[0], headers=keyed("p")
        )
    ).json()["id"]
    sent = 0
    for path in [path for path, methods in document["paths"].items() if path.startswith("/v1/")
                 and "requestBody" in methods.get("post", {})]:  # fmt: skip
        for number, example in enumerate(_examples(document, path)):
            response = await acme.post(
                path.format(id=payment_id), json=example, headers=keyed(f"{path} {number}")
            )
            assert response.status_code == 202, response.text
            sent += 1
            if number == 0:
                answer = document["paths"][path]["post"]["responses"]["202"]
                shown = answer["content"]["application/json"]["example"]
                assert shown.keys() == response.json().keys()
                for field in ("amount", "currency", "payment_method"):
                    assert shown.get(field) == response.json().get(field), path
    assert len(log.records) == sent + 1


def _examples(document: Json, path: str) -> list[Json]:
    """The bodies that a path's POST shows, the one that stands first on the page first."""
    content = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
    return [example["value"] for example in content["examples"].values()]
