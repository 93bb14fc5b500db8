"""Query parameters are read strictly: what is not known, or not clear, is 422 and is named."""

from typing import Any, Final

import httpx
import pytest

from schemas import identity
from tests.ingress.harness import assert_problem

pytestmark = pytest.mark.anyio

PAYMENT: Final = f"/v1/payments/{identity.payment_id('acme', 'order-1')}"


async def _paths(client: httpx.AsyncClient) -> list[str]:
    """Every GET under /v1 of the document, of a payment of this tenant."""
    document = (await client.get("/openapi.json")).json()
    paths = [path for path, methods in document["paths"].items() if "get" in methods]
    return [
        path.replace("/v1/payments/{id}", PAYMENT).replace("{id}", "op_1")
        for path in paths
        if path.startswith("/v1/")
    ]


def _fields(response: httpx.Response) -> dict[str, str]:
    body = assert_problem(response, 422, "invalid-fields")
    return {error["field"]: error["problem"] for error in body["errors"]}


async def test_an_unknown_parameter_is_named_on_every_route(acme: httpx.AsyncClient) -> None:
    """A filter that is misspelt would return what nobody asked for."""
    paths = await _paths(acme)
    assert len(paths) >= 4
    for path in paths:
        named = _fields(await acme.get(path, params={"stauts": "FAILED", "limt": "1"}))
        assert named.keys() == {"stauts", "limt"}, path
    listed = _fields(await acme.get("/v1/payments", params={"page": "2"}))["page"]
    for known in ("status", "created_from", "metadata[...]", "cursor"):
        assert known in listed


async def test_a_parameter_is_sent_once(acme: httpx.AsyncClient) -> None:
    """Of two values one would be chosen silently; a status is a list."""
    twice: Any = [("limit", "1"), ("limit", "2"), ("status", "FAILED"), ("status", "SUCCEEDED")]
    assert _fields(await acme.get("/v1/payments", params=twice)).keys() == {"limit"}
    for path in await _paths(acme):
        if path.endswith("/timeline"):
            assert _fields(await acme.get(path, params=twice[:2])).keys() == {"limit"}


async def test_the_sender_is_checked_first(anonymous: httpx.AsyncClient) -> None:
    """Who has no key learns nothing of the parameters."""
    for path in await _paths(anonymous):
        answer = await anonymous.get(path, params={"unknown": "1"})
        assert_problem(answer, 401, "unauthorized")


async def test_a_post_and_other_addresses_take_any_query(acme: httpx.AsyncClient) -> None:
    """A POST says everything in its body, and probes add what they like."""
    assert (await acme.get("/healthz", params={"probe": "1"})).status_code == 200
    answer = await acme.post("/v1/payments", params={"trace": "1"}, json={})
    assert_problem(answer, 400, "idempotency-key-missing")


@pytest.mark.parametrize(
    ("field", "sent"),
    [
        ("created_from", {"created_from": "2026-03-01T12:00:00"}),
        ("created_from", {"created_from": "2026-03-01"}),
        ("created_to", {"created_to": "1772366400"}),
        ("created_to", {"created_to": "2026-02-30T12:00:00Z"}),
        ("created_to", {"created_to": "9999-12-31T23:59:59-23:59"}),
        ("created_to", {"created_to": "\uff12026-03-01T12:00:00Z"}),
        ("currency", {"currency": "euro"}),
        ("currency", {"currency": ""}),
        ("status", {"status": "PAID"}),
        ("order_reference", {"order_reference": ""}),
        ("order_reference", {"order_reference": "a" * 201}),
        ("order_reference", {"order_reference": "a\0"}),
        ("provider", {"provider": "a\0"}),
        ("needs_attention", {"needs_attention": "maybe"}),
        ("metadata", {"metadata[a]": "1", "metadata[b]": "1"}),
        ("metadata", [("metadata[a]", "1"), ("metadata[a]", "1")]),
        ("metadata", {"metadata[]": "1"}),
        ("metadata", {"metadata[a[b]]": "1"}),
        ("metadata", {f"metadata[{'a' * 41}]": "1"}),
        ("metadata", {"metadata[a]": "1" * 501}),
        ("metadata", {"metadata[a]": "\0"}),
        ("metadata", {"metadata": "1"}),
        ("status[0]", {"status[0]": "FAILED"}),
    ],
)
async def test_an_unclear_filter_is_named(acme: httpx.AsyncClient, field: str, sent: Any) -> None:
    """It is never guessed at, and never reaches the store."""
    assert _fields(await acme.get("/v1/payments", params=sent)).keys() == {field}


async def test_a_plus_that_became_a_space_is_explained(acme: httpx.AsyncClient) -> None:
    """The commonest mistake with times in addresses."""
    answer = await acme.get("/v1/payments?created_from=2026-03-01T12:00:00+01:00")
    assert "%2B" in _fields(answer)["created_from"]
    answer = await acme.get("/v1/payments?created_from=2026-03-01T12:00:00%2B01:00")
    assert_problem(answer, 503, "database-unavailable")
