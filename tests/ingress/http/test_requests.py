"""What a request must look like: keys, bodies, fields. Each refusal names the fix."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from schemas import identity
from tests.ingress.harness import BODY_LIMIT, PAYMENT, Log, assert_problem, keyed

pytestmark = pytest.mark.anyio

JSON = {"Content-Type": "application/json"}
OPERATIONS = ["confirm", "capture", "cancel", "refunds"]


def fields(answer: httpx.Response) -> dict[str, str]:
    """The fields a 422 names, with their problems."""
    body = assert_problem(answer, 422, "invalid-fields")
    return {error["field"]: error["problem"] for error in body["errors"]}


async def test_a_post_names_its_operation(acme: httpx.AsyncClient, log: Log) -> None:
    """Without an Idempotency-Key every POST is 400, and says what to send."""
    ours = identity.payment_id("acme", "order-1")
    paths = ["/v1/payments", *(f"/v1/payments/{ours}/{name}" for name in OPERATIONS)]
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
    answer = await acme.post("/v1/payments", json=PAYMENT, headers=headers)
    assert_problem(answer, 400, "idempotency-key-invalid")


@pytest.mark.parametrize("key", ["a", "a" * 255, "order 1001", '"quoted"', "~!@#$%^&*()_+"])
async def test_every_printable_key_is_taken(acme: httpx.AsyncClient, key: str) -> None:
    """1 to 255 printable ASCII characters are a key, as they stand."""
    answer = await acme.post("/v1/payments", json=PAYMENT, headers=keyed(key))
    assert answer.json()["id"] == identity.payment_id("acme", key)


async def test_one_request_has_one_key(acme: httpx.AsyncClient) -> None:
    """Two Idempotency-Key headers are ambiguous."""
    headers = [("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
    answer = await acme.post("/v1/payments", json=PAYMENT, headers=headers)
    assert_problem(answer, 400, "idempotency-key-invalid")


@pytest.mark.parametrize(
    "body", [b"{", b"nonsense", b'{"amount": 1,}', b"\xff\xfe", b'{"amount": "\xff"}', b"[" * 4000]
)
async def test_malformed_json_is_400(acme: httpx.AsyncClient, body: bytes) -> None:
    """What isn't JSON is no body at all."""
    answer = await acme.post("/v1/payments", content=body, headers={**JSON, **keyed("k")})
    assert_problem(answer, 400, "malformed-body")


@pytest.mark.parametrize("media_type", ["", "text/plain", "application/x-www-form-urlencoded"])
async def test_the_body_says_it_is_json(acme: httpx.AsyncClient, media_type: str) -> None:
    """Another content type is 415, however well the bytes parse."""
    headers = {"Content-Type": media_type, **keyed("k")}
    answer = await acme.post("/v1/payments", content=b"{}", headers=headers)
    assert_problem(answer, 415, "unsupported-media-type")


@pytest.mark.parametrize("body", [b"[]", b"1", b"null", b'"text"'])
async def test_the_body_is_an_object(acme: httpx.AsyncClient, body: bytes) -> None:
    """JSON of another kind is 422."""
    answer = await acme.post("/v1/payments", content=body, headers={**JSON, **keyed("k")})
    assert "body" in fields(answer)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("amount", 0),
        ("amount", -1),
        ("amount", 100_000_000),
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
    """A field that is wrong, or unknown, is 422 by its name, and nothing is published."""
    body = {**PAYMENT, field: value}
    named = fields(await acme.post("/v1/payments", json=body, headers=keyed("k")))
    assert [name.partition(".")[0] for name in named] == [field]  # metadata.key is more precise
    assert log.records == []


async def test_all_wrong_fields_are_named_at_once(acme: httpx.AsyncClient) -> None:
    """A client mends its request in one go; its values are not repeated to it."""
    body = {"amount": -4242, "metadata": {"a": 1}, "surprise": "private"}
    answer = await acme.post("/v1/payments", json=body, headers=keyed("k"))
    named = fields(answer)
    assert set(named) == {"amount", "currency", "payment_method", "metadata.a", "surprise"}
    assert named["currency"] == "Send this field; it is required"
    assert "4242" not in answer.text
    assert "private" not in answer.text


async def test_a_backslash_is_no_nul(acme: httpx.AsyncClient) -> None:
    """Text that only looks like an escaped NUL is taken as it is."""
    body = {**PAYMENT, "description": r"C:\x00\u0000"}
    answer = await acme.post("/v1/payments", json=body, headers=keyed("k"))
    assert answer.json()["description"] == r"C:\x00\u0000"


async def test_a_body_over_the_limit_is_413(acme: httpx.AsyncClient, log: Log) -> None:
    """A declared length over the limit is refused."""
    body = {**PAYMENT, "description": "a" * BODY_LIMIT}
    answer = await acme.post("/v1/payments", json=body, headers=keyed("k"))
    assert_problem(answer, 413, "body-too-large")
    assert log.records == []


async def test_the_limit_is_enforced_while_reading(nobody: httpx.AsyncClient) -> None:
    """A body without a length is read no further than the limit."""
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 100 * BODY_LIMIT:
            sent += 1024
            yield b"a" * 1024

    answer = await nobody.post("/webhooks/stripe", content=endless())
    assert_problem(answer, 413, "body-too-large")
    assert sent <= BODY_LIMIT + 2 * 1024


@pytest.mark.parametrize("declared", ["1", "-5", "nonsense", "0"])
async def test_a_lying_content_length_helps_nobody(
    nobody: httpx.AsyncClient, declared: str
) -> None:
    """What counts is what comes."""

    async def body() -> AsyncIterator[bytes]:
        for _ in range(8):
            yield b"a" * 1024

    headers = {"Content-Length": declared}
    answer = await nobody.post("/webhooks/stripe", content=body(), headers=headers)
    assert_problem(answer, 413, "body-too-large")


async def test_a_body_of_exactly_the_limit_is_read(nobody: httpx.AsyncClient) -> None:
    """The limit itself is not over the limit."""
    answer = await nobody.post("/webhooks/stripe", content=b"a" * BODY_LIMIT)
    assert_problem(answer, 400, "invalid-signature")
