"""The AsyncAPI document describes the topics as they are, and the page shows it without internet.

That it follows AsyncAPI 3 is checked by the parser of its makers, in tests/service/clients.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any, Final

import httpx
import pytest

from schemas import headers, identity
from schemas.topics import DEAD_LETTERS, PAYMENT_OPERATIONS, PAYMENT_STATE, TOPICS
from tests.compatibility.json_schema import problems as violations

pytestmark = pytest.mark.anyio

Json = dict[str, Any]
BY_NAME = {topic.name: topic for topic in TOPICS}
READ_BY_OTHERS = [PAYMENT_STATE, PAYMENT_OPERATIONS, DEAD_LETTERS]


@pytest.fixture
async def document(anonymous: httpx.AsyncClient) -> Json:
    """The document as a consumer's developer gets it."""
    answer = await anonymous.get("/asyncapi.json")
    assert answer.headers["content-type"] == "application/json"
    found: Json = answer.json()
    return found


def _message(document: Json, topic: str) -> Json:
    (name,) = document["channels"][topic]["messages"]
    found: Json = document["components"]["messages"][name]
    return found


def _schema(document: Json, reference: Json) -> Json:
    """A schema with all that it refers to, as a document of its own."""
    text = json.dumps({"$defs": document["components"]["schemas"], **reference})
    found: Json = json.loads(text.replace("#/components/schemas/", "#/$defs/"))
    for each in found["$defs"].values():
        each.pop("discriminator", None)
    return found


async def test_it_has_the_topics_that_others_read(document: Json) -> None:
    """Each with what is configured when the topics are made."""
    assert document["asyncapi"].startswith("3.")
    assert list(document["channels"]) == READ_BY_OTHERS
    for name, channel in document["channels"].items():
        settings = BY_NAME[name].settings(90 * 24 * 3600.0)
        configured = channel["bindings"]["kafka"]["topicConfiguration"]
        assert configured == {
            "cleanup.policy": [settings["cleanup.policy"]],
            "retention.ms": int(settings["retention.ms"]),
            "max.message.bytes": int(settings["max.message.bytes"]),
        }
    assert document["channels"][PAYMENT_STATE]["bindings"]["kafka"]["topicConfiguration"][
        "cleanup.policy"
    ] == ["compact"]


@pytest.mark.parametrize("topic", [PAYMENT_STATE, PAYMENT_OPERATIONS])
async def test_examples_follow_the_schemas(document: Json, topic: str) -> None:
    """Both the headers and the value."""
    message = _message(document, topic)
    assert message["examples"]
    for example in message["examples"]:
        for part in ("headers", "payload"):
            assert violations(_schema(document, message[part]), example[part]) == []


_NOW: Final = datetime.now(UTC)
_PAYMENT: Final = identity.payment_id("acme", "order-1")
_OPERATION: Final = identity.public_operation_id(_PAYMENT, identity.command_event_id("op_1", "a"))
#: What the publishers send with a record, by case.
SENT: Final = {
    "a version": (PAYMENT_STATE, headers.cloud_event(_PAYMENT, 3, _NOW, 7)),
    "in quarantine": (PAYMENT_STATE, headers.cloud_event(_PAYMENT, 3, _NOW, 7, quarantined=True)),
    "an operation": (
        PAYMENT_OPERATIONS, headers.operation_event(_OPERATION, "applied", _PAYMENT, _NOW),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", SENT)
async def test_the_headers_are_those_that_are_published(document: Json, case: str) -> None:
    """None is undocumented, and none that is required is missing."""
    topic, sent = SENT[case]
    found = headers.as_text(sent)
    reference = _message(document, topic)["headers"]
    assert violations(_schema(document, reference), found) == []
    name = reference["$ref"].rpartition("/")[2]
    assert found.keys() <= document["components"]["schemas"][name]["properties"].keys()


@pytest.mark.parametrize(
    ("topic", "rules"),
    [
        (PAYMENT_STATE, ["higher", "at least once", "compacted", "12 hours", "`ce_quarantined`"]),
        (PAYMENT_OPERATIONS, ["`id` and `status`", "not compacted", "same Kafka transaction"]),
        (DEAD_LETTERS, ["90 days", "not compacted"]),
    ],
)
async def test_a_channel_says_what_a_consumer_has_to_do(
    document: Json, topic: str, rules: list[str]
) -> None:
    """The document alone is enough to write a correct consumer."""
    assert "`isolation.level=read_committed`" in document["info"]["description"]
    for rule in rules:
        assert rule in document["channels"][topic]["description"]
    assert _message(document, topic)["bindings"]["kafka"]["key"]["description"]


def _fields(document: Json) -> Iterator[tuple[str, Json]]:
    for name, schema in document["components"]["schemas"].items():
        for field, part in schema.get("properties", {}).items():
            yield f"{name}.{field}", part


async def test_every_field_and_header_is_described(document: Json) -> None:
    """And none is forbidden: the next release may add one."""
    fields = dict(_fields(document))
    assert {"PaymentState.version", "Operation.code", "DeadLetterHeaders.error"} <= fields.keys()
    assert [name for name, part in fields.items() if not part.get("description")] == []
    assert '"additionalProperties": false' not in json.dumps(document)


class Text(HTMLParser):
    """Collects a page's addresses, its scripts and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.tags: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collects the addresses."""
        self.tags.add(tag)
        self.addresses += [value or "" for name, value in attrs if name in {"src", "href"}]

    def handle_data(self, data: str) -> None:
        """Collects the text."""
        self.text += f"{data}\n"


async def test_the_page_shows_every_topic_and_field_from_this_host(
    anonymous: httpx.AsyncClient,
) -> None:
    """It has no script, and every address in it is one of ours that answers."""
    answer = await anonymous.get("/docs/topics")
    page = Text()
    page.feed(answer.text)
    assert "script" not in page.tags
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    for address in page.addresses:
        assert address.startswith("/")
        assert (await anonymous.get(address)).status_code == 200
    shown = page.text.split("\n")
    for topic in READ_BY_OTHERS:
        assert topic in shown
    nested = {"id", "version", "refunds.status", "disputes.funds.withdrawn", "next_action.url"}
    assert nested | {"ce_id", "original-topic", "isolation.level=read_committed"} <= set(shown)
    assert "**" not in page.text
    assert "/asyncapi.json" in page.addresses


async def test_the_page_of_the_api_leads_to_the_topics(anonymous: httpx.AsyncClient) -> None:
    """And theirs leads back."""
    about = (await anonymous.get("/openapi.json")).json()["info"]["description"]
    assert "(/docs/topics)" in about
    assert "(/asyncapi.json)" in about
    topics = (await anonymous.get("/asyncapi.json")).json()["info"]["description"]
    assert "(/openapi.json)" in topics
