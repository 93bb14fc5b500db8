"""Validation of requests: keys, bodies and fields. Each refusal says what to change."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from schemas import identity
from tests.ingress.harness import BODY_LIMIT, PAYMENT, Log, assert_problem, keyed

pytestmark = pytest.mark.anyio

JSON = {"Content-Type": "application/json"}
OPERATIONS = ["confirm", "capture", "cancel", "refunds"]


def fields(response: httpx.Response) -> dict[str, str]:
    """Returns the fields that a 422 names, with their problems."""
    body = assert_problem(response, 422, "invalid-fields")
    return {error["field"]: error["problem"] for error in body["errors"]}


async def test_a_post_needs_an_idempotency_key(acme: httpx.AsyncClient, log: Log) -> None:
    """Without one, every POST is 400, and the detail names the header."""
    payment_id = identity.payment_id("acme", "order-1")
    paths = ["/v1/payments", *(f"/v1/payments/{payment_id}/{name}" for name in OPERATIONS)]
    for path in paths:
        problem = assert_problem(
            await acme.post(path, json=PAYMENT), 400, "idempotency-key-missing"
        )
        assert "Idempotency-Key" in problem["detail"]
    assert log.records == []


@pytest.mark.parametrize("key", [b"", b"a" * 256, b"caf\xc3\xa9", b"tab\tin", b"\xff"])
async def test_a_key_is_1_to_255_printable_characters(acme: httpx.AsyncClient, key: bytes) -> None:
    """Any other Idempotency-Key is 400."""
    headers = [(b"Idempotency-Key", key)]
    response = await acme.post("/v1/payments", json=PAYMENT, headers=headers)
    assert_problem(response, 400, "idempotency-key-invalid")


@pytest.mark.parametrize("key", ["a", "a" * 255, "order 1001", 'a "b"', "~!@#$%^&*()_+\\"])
async def test_every_printable_key_is_accepted(acme: httpx.AsyncClient, key: str) -> None:
    """1 to 255 printable ASCII characters are a key, unless they begin with a quotation mark."""
    response = await acme.post("/v1/payments", json=PAYMENT, headers=keyed(key))
    assert response.json()["id"] == identity.payment_id("acme", key)


async def test_one_request_has_one_key(acme: httpx.AsyncClient) -> None:
    """Two Idempotency-Key headers are ambiguous."""
    headers = [("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
    response = await acme.post("/v1/payments", json=PAYMENT, headers=headers)
    assert_problem(response, 400, "idempotency-key-invalid")


@pytest.mark.parametrize(
    "body", [b"{", b"nonsense", b'{"amount": 1,}', b"\xff\xfe", b'{"amount": "\xff"}', b"[" * 4000]
)
async def test_malformed_json_is_400(acme: httpx.AsyncClient, body: bytes) -> None:
    """A body that isn't JSON in UTF-8 is refused."""
    response = await acme.post("/v1/payments", content=body, headers={**JSON, **keyed("k")})
    assert_problem(response, 400, "malformed-body")


@pytest.mark.parametrize("media_type", ["", "text/plain", "application/x-www-form-urlencoded"])
async def test_the_content_type_must_be_json(acme: httpx.AsyncClient, media_type: str) -> None:
    """Another content type is 415, even if the body is valid JSON."""
    headers = {"Content-Type": media_type, **keyed("k")}
    response = await acme.post("/v1/payments", content=b"{}", headers=headers)
    assert_problem(response, 415, "unsupported-media-type")


@pytest.mark.parametrize("body", [b"[]", b"1", b"null", b'"text"'])
async def test_the_body_must_be_an_object(acme: httpx.AsyncClient, body: bytes) -> None:
    """Another JSON type is 422."""
    response = await acme.post("/v1/payments", content=body, headers={**JSON, **keyed("k")})
    assert "body" in fields(response)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("amount", 0),
        ("amount", -1),
        ("amount", 1_000_000_000_000),
        ("amount", 19.99),
        ("amount", "1999"),
        ("amount", True),
        ("amount", None),
        ("currency", "EURO"),
        ("currency", 978),
        ("payment_method", ""),
        ("capture_method", "later"),
        ("max_attempts", 0),
        ("max_attempts", 11),
        ("return_url", "not a URL"),
        ("return_url", "ftp://example.com/"),
        ("return_url", "javascript:alert(1)"),
        ("return_url", "javascript://example.com/%0aalert(1)"),
        ("return_url", "JavaScript://example.com/%0aalert(1)"),
        ("return_url", " javascript:alert(1)"),
        ("return_url", "data:text/html,hello"),
        ("return_url", "data://text/html,hello"),
        ("return_url", "vbscript://x"),
        ("return_url", "file:///etc/passwd"),
        ("return_url", "file://host/etc/passwd"),
        ("return_url", "blob:https://example.com/1"),
        ("return_url", "intent://scan/#Intent;scheme=x;end"),
        ("return_url", "myapp:done"),
        ("return_url", "myapp://"),
        ("return_url", "//example.com/"),
        ("return_url", "https://example.com/" + "a" * 500),
        ("description", "a" * 501),
        ("description", "a\x00b"),
        ("metadata", {"key": "a\x00b"}),
        ("surprise", 1),
    ],
)
async def test_a_wrong_field_is_named(
    acme: httpx.AsyncClient, log: Log, field: str, value: Any
) -> None:
    """A wrong or unknown field is 422; the problem names it, and nothing is published."""
    body = {**PAYMENT, field: value}
    named = fields(await acme.post("/v1/payments", json=body, headers=keyed("k")))
    assert [name.partition(".")[0] for name in named] == [field]  # metadata.key is more precise
    assert log.records == []


async def test_all_wrong_fields_are_named_at_once(acme: httpx.AsyncClient) -> None:
    """A client can fix its request in one go. The problem repeats no values."""
    body = {"amount": -4242, "metadata": {"a": 1}, "surprise": "private"}
    response = await acme.post("/v1/payments", json=body, headers=keyed("k"))
    named = fields(response)
    assert set(named) == {"amount", "currency", "payment_method", "metadata.a", "surprise"}
    assert named["currency"] == "Send this field; it is required"
    assert "4242" not in response.text
    assert "private" not in response.text


async def test_text_like_an_escaped_nul_is_accepted(acme: httpx.AsyncClient) -> None:
    """A literal backslash sequence is not a NUL."""
    body = {**PAYMENT, "description": r"C:\x00\u0000"}
    response = await acme.post("/v1/payments", json=body, headers=keyed("k"))
    assert response.json()["description"] == r"C:\x00\u0000"


async def test_a_body_over_the_limit_is_413(acme: httpx.AsyncClient, log: Log) -> None:
    """A declared length over the limit is refused."""
    body = {**PAYMENT, "description": "a" * BODY_LIMIT}
    response = await acme.post("/v1/payments", json=body, headers=keyed("k"))
    assert_problem(response, 413, "body-too-large")
    assert log.records == []


async def test_the_limit_is_enforced_while_reading(anonymous: httpx.AsyncClient) -> None:
    """A body without a length is read no further than the limit."""
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 100 * BODY_LIMIT:
            sent += 1024
            yield b"a" * 1024

    response = await anonymous.post("/webhooks/stripe", content=endless())
    assert_problem(response, 413, "body-too-large")
    assert sent <= BODY_LIMIT + 2 * 1024


@pytest.mark.parametrize("declared", ["1", "-5", "nonsense", "0"])
async def test_a_wrong_content_length_does_not_evade_the_limit(
    anonymous: httpx.AsyncClient, declared: str
) -> None:
    """The limit applies to the bytes that arrive."""

    async def body() -> AsyncIterator[bytes]:
        for _ in range(8):
            yield b"a" * 1024

    headers = {"Content-Length": declared}
    response = await anonymous.post("/webhooks/stripe", content=body(), headers=headers)
    assert_problem(response, 413, "body-too-large")


async def test_a_body_of_exactly_the_limit_is_read(anonymous: httpx.AsyncClient) -> None:
    """The limit is inclusive."""
    response = await anonymous.post("/webhooks/stripe", content=b"a" * BODY_LIMIT)
    assert_problem(response, 400, "invalid-signature")
