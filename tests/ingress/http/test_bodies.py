"""A body that is missing, truncated or ambiguous is refused."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from schemas import identity
from schemas.commands import VALUE, CapturePayment, RefundPayment
from tests.ingress.harness import PAYMENT, Log, assert_problem, event, keyed, signed
from tests.support.builders import command_body

pytestmark = pytest.mark.anyio

PAYMENT_ID = identity.payment_id("acme", "order-1")
JSON = {"Content-Type": "application/json"}
#: JSON that is neither a positive integer nor "all".
NO_AMOUNTS = (
    *("null", "0", "-1", "0.0", "500.0", "5e2", '"500"', "true", "false", "[500]", "{}", "9" * 300),
    *('"ALL"', '""', "1000000000000"),
)
MONEY = [f"/v1/payments/{PAYMENT_ID}/{name}" for name in ("capture", "refunds")]
EVERY_POST = [
    "/v1/payments",
    *MONEY,
    *(f"/v1/payments/{PAYMENT_ID}/{n}" for n in ("confirm", "cancel")),
]


async def send(
    client: httpx.AsyncClient, path: str, body: bytes, headers: dict[str, str] = JSON
) -> httpx.Response:
    """Sends these bytes with an Idempotency-Key."""
    return await client.post(path, content=body, headers={**headers, **keyed("k")})


async def nothing() -> AsyncIterator[bytes]:
    """Yields no chunk."""
    for chunk in tuple[bytes]():
        yield chunk


@pytest.mark.parametrize("path", EVERY_POST)
async def test_an_absent_body_is_refused(acme: httpx.AsyncClient, log: Log, path: str) -> None:
    """No body, an empty one and a chunked one without chunks are 400; the detail suggests {}."""
    for response in (
        await acme.post(path, headers=keyed("k")),
        await send(acme, path, b""),
        await acme.post(path, content=nothing(), headers={**JSON, **keyed("k")}),
    ):
        assert "{}" in assert_problem(response, 400, "malformed-body")["detail"]
    assert log.records == []


@pytest.mark.parametrize("path", MONEY)
async def test_a_truncated_body_is_refused(acme: httpx.AsyncClient, log: Log, path: str) -> None:
    """A body that doesn't have its declared length is 400."""
    for received in (nothing(), iterate(b"{}"), iterate(b'{"amount":500}}')):
        headers = {**JSON, **keyed("k"), "Content-Length": "14"}
        response = await acme.post(path, content=received, headers=headers)
        assert "14 bytes" in assert_problem(response, 400, "malformed-body")["detail"]
    assert log.records == []


async def iterate(*chunks: bytes) -> AsyncIterator[bytes]:
    """Yields the chunks."""
    for chunk in chunks:
        yield chunk


@pytest.mark.parametrize("path", MONEY)
@pytest.mark.parametrize(
    ("body", "amount"), [(b'{"amount": "all"}', "all"), (b'{"amount": 500}', 500)]
)
async def test_the_accepted_amount_is_echoed(
    acme: httpx.AsyncClient, log: Log, path: str, body: bytes, amount: int | str
) -> None:
    """The 202 and its replay have the accepted amount; the command has the same."""
    for _ in range(2):
        response = await send(acme, path, body)
        assert response.status_code == 202
        assert response.json()["amount"] == amount
    (record,) = log.records
    command = VALUE.validate_json(record.value)
    assert isinstance(command, CapturePayment | RefundPayment)
    assert command.amount == amount


@pytest.mark.parametrize("path", MONEY)
@pytest.mark.parametrize("body", ["{}", *(f'{{"amount": {amount}}}' for amount in NO_AMOUNTS)])
async def test_an_amount_is_a_positive_integer_or_all(
    acme: httpx.AsyncClient, log: Log, path: str, body: str
) -> None:
    """Absent, null, zero, a fraction and the like never mean all; the 422 says both forms."""
    response = await send(acme, path, body.encode())
    (error,) = assert_problem(response, 422, "invalid-fields")["errors"]
    assert error == {
        "field": "amount",
        "problem": 'Send minor units, such as 500, or "all" for all that is left',
    }
    assert log.records == []


@pytest.mark.parametrize(
    "body",
    [
        b'{"amount": NaN}',
        b'{"amount": Infinity}',
        b'{"amount": -Infinity}',
        b'{"amount": ' + b"9" * 4000 + b"9" * 80 + b"9" * 300 + b"}",
        b'\xef\xbb\xbf{"amount": 500}',
        '{"amount": 500}'.encode("utf-16"),
        '{"amount": 500}'.encode("utf-16-le"),
        '{"amount": 500}'.encode("utf-32"),
        b'{"amount": 500}\x00',
        b'{"amount": 500} {}',
        b'{"a":' * 1000 + b"1" + b"}" * 1000,
        b" ",
    ],
)
async def test_invalid_json_or_utf8_is_400(acme: httpx.AsyncClient, log: Log, body: bytes) -> None:
    """Examples: NaN, byte order marks, other encodings, two values, deep nesting."""
    for path in MONEY:
        response = await send(acme, path, body[:4096])
        assert_problem(response, 400, "malformed-body")
    assert log.records == []


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (b'{"amount": 500, "amount": 5}', "amount"),
        (b'{"amount": 500, "amount": 500}', "amount"),
        (b'{"amount": 500, "\\u0061mount": 5}', "amount"),
        (b'{"metadata": {"order": "1", "order": "2"}}', "order"),
        (b'{"surprise": [[{"x": 1, "x": 2}]]}', "x"),
    ],
)
async def test_a_duplicate_name_is_refused(
    acme: httpx.AsyncClient, log: Log, body: bytes, name: str
) -> None:
    """A name that occurs twice in an object, at any depth or escaped, is 400; the detail has it."""
    for path in EVERY_POST:
        problem = assert_problem(await send(acme, path, body), 400, "malformed-body")
        assert f"'{name}'" in problem["detail"]
    assert log.records == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Encoding": "gzip"},
        {"Content-Encoding": "identity, br"},
        {"Content-Type": "application/json; charset=utf-16"},
        {"Content-Type": 'application/json; charset="latin1"'},
        {"Content-Type": "application/json; charset=utf-8; charset=utf-16"},
        {"Content-Type": "application/jsonx"},
        {"Content-Type": "application/json, text/plain"},
    ],
)
async def test_an_unsupported_encoding_or_type_is_415(
    acme: httpx.AsyncClient, log: Log, headers: dict[str, str]
) -> None:
    """A compressed body or another charset is refused without reading the body."""
    for path in EVERY_POST:
        response = await send(acme, path, json.dumps(PAYMENT).encode(), {**JSON, **headers})
        assert_problem(response, 415, "unsupported-media-type")
    assert log.records == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "Application/JSON"},
        {"Content-Type": 'application/json;charset="UTF-8"'},
        {"Content-Type": "application/json ; charset=utf8 ; profile=x"},
        {"Content-Encoding": "identity"},
        {"Content-Encoding": ""},
    ],
)
async def test_every_spelling_of_json_in_utf8_is_accepted(
    acme: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    """The headers may declare JSON in UTF-8 in any usual way."""
    response = await send(acme, "/v1/payments", json.dumps(PAYMENT).encode(), {**JSON, **headers})
    assert response.status_code == 202


async def test_a_compressed_webhook_is_415(anonymous: httpx.AsyncClient, log: Log) -> None:
    """The ingress doesn't decompress, so it can't use the body; the refusal is counted."""
    body = event({"id": "pi_1"})
    headers = {**signed(body), "Content-Encoding": "gzip"}
    response = await anonymous.post("/webhooks/stripe", content=body, headers=headers)
    assert_problem(response, 415, "unsupported-media-type")
    assert log.records == []
    counted = (await anonymous.get("/metrics")).text
    assert (
        'problem="unsupported-media-type"' in counted or 'unsupported-media-type"} 1.0' in counted
    )


@pytest.mark.parametrize("kind", ["capture", "refund"])
def test_a_command_without_an_amount_field_is_invalid(kind: str) -> None:
    """On the topic, only "all" means the whole amount; a missing field and null mean nothing."""
    ids = dict.fromkeys(("event_id", "tenant", "operation_id", "fingerprint"), "x")
    command: dict[str, Any] = {**ids, "type": kind, "payment_id": PAYMENT_ID}
    command["received_at"] = "2026-03-01T12:00:00Z"
    if kind == "refund":
        command["refund_id"] = "ref_1"
    VALUE.validate_python({**command, "amount": "all"})
    for lost in (command, {**command, "amount": None}):
        with pytest.raises(ValueError, match="amount"):
            VALUE.validate_python(lost)


def test_a_create_command_without_its_capture_method_is_invalid() -> None:
    """A request may leave it out, but a record that lost it must not capture at once."""
    command = command_body(PAYMENT_ID, "create")
    VALUE.validate_python(command)
    del command["capture_method"]
    with pytest.raises(ValueError, match="capture_method"):
        VALUE.validate_python(command)


@pytest.mark.parametrize(
    "currency", ["\u0131ns", "\u00dfa", "u\u017fd", "\ufb00r", "\uff25UR", "EU\u212a"]
)
async def test_only_ascii_makes_a_currency(
    acme: httpx.AsyncClient, log: Log, currency: str
) -> None:
    """Others have one of A to Z as their upper case, and would be another currency."""
    response = await acme.post(
        "/v1/payments", json={**PAYMENT, "currency": currency}, headers=keyed("k")
    )
    problem = assert_problem(response, 422, "invalid-fields")
    assert [error["field"] for error in problem["errors"]] == ["currency"]
    assert log.records == []


@pytest.mark.parametrize(
    ("body", "field", "fix"),
    [
        (b'{"amount": %s}' % (b"9" * 2_000), "amount", "fewer digits"),
        (b'{"amount": -%s}' % (b"9" * 2_000), "amount", "fewer digits"),
        (b'{"metadata": {"order": %s}}' % (b"9" * 2_000), "order", "fewer digits"),
        (b'{"reason": "\\ud83d"}', "reason", "half of a character"),
        (b'{"reason": "\\ude00 x"}', "reason", "half of a character"),
    ],
)
async def test_what_json_can_say_and_no_program_can_keep_is_named(
    acme: httpx.AsyncClient, log: Log, body: bytes, field: str, fix: str
) -> None:
    """The parser's own error names no field, and calls it no JSON."""
    for path in ("/v1/payments", MONEY[1]):
        problem = assert_problem(await send(acme, path, body), 422, "invalid-fields")
        assert [error["field"] for error in problem["errors"]] == [field]
        assert fix in problem["errors"][0]["problem"]
    assert log.records == []


@pytest.mark.parametrize(
    ("body", "fix"),
    [
        (b'["\\ud83d"]', "half of a character"),
        (b'{"\\ud83d": 1}', "half of a character"),
        (b'{"\\ud83d": 1, "\\ud83d": 2}', "half of a character"),
    ],
)
async def test_outside_of_a_field_it_is_named_too(
    acme: httpx.AsyncClient, log: Log, body: bytes, fix: str
) -> None:
    """There is no name that an answer could repeat."""
    problem = assert_problem(await send(acme, "/v1/payments", body), 400, "malformed-body")
    assert fix in problem["detail"]
    assert log.records == []
