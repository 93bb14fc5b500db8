"""What the document says of odd requests and of problems is what the service does."""

from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import httpx
import pytest

from ingress.errors import BrokerUnavailableError
from ingress.metrics import Metrics
from tests.ingress.harness import PAYMENT, FakeStore, Log, application, client_of, keyed

pytestmark = pytest.mark.anyio

Json = dict[str, Any]
CREATE: Final = "/v1/payments"
OTHERS: Final = "/v1/payments/pay_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"


@pytest.fixture
def store() -> FakeStore:
    """A store without any payment."""
    return FakeStore()


@pytest.fixture
async def client(log: Log, store: FakeStore, metrics: Metrics) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a service whose store can be stopped."""
    async with client_of(application(log, store, metrics)) as made:
        yield made


async def _document(client: httpx.AsyncClient) -> Json:
    found: Json = (await client.get("/openapi.json")).json()
    return found


ODD: Final[dict[str, tuple[str, str, dict[str, Any], int, str]]] = {
    "a slash at the end": ("GET", "/v1/payments/", {}, 404, "with another slash"),
    "two slashes": ("GET", "/v1//payments", {}, 404, "with another slash"),
    "another case": ("GET", "/V1/payments", {}, 404, "in another case"),
    "another method": ("PUT", CREATE, {}, 405, "Another method is 405"),
    "HEAD": ("HEAD", CREATE, {}, 405, "also HEAD and OPTIONS"),
    "OPTIONS": ("OPTIONS", CREATE, {}, 405, "also HEAD and OPTIONS"),
    "no Content-Type": (
        "POST", CREATE, {"content": b"{}", "headers": keyed("a")}, 415, "anything else is 415",
    ),
    "another Content-Type": (
        "POST", CREATE,
        {"content": b"a=1", "headers": {**keyed("a"), "Content-Type": "text/plain"}}, 415,
        "anything else is 415",
    ),
    "a compressed body": (
        "POST", CREATE, {"json": PAYMENT, "headers": {**keyed("a"), "Content-Encoding": "gzip"}},
        415, "uncompressed",
    ),
    "an unknown field": (
        "POST", CREATE, {"json": {**PAYMENT, "amuont": 1}, "headers": keyed("a")}, 422,
        "An unknown field is 422",
    ),
    "an unknown query parameter": (
        "GET", f"{CREATE}?stauts=FAILED", {}, 422, "A query parameter of a GET that is not listed",
    ),
    "a query parameter twice": ("GET", f"{CREATE}?limit=1&limit=2", {}, 422, "comes twice"),
    "a query parameter of a POST": (
        "POST", f"{CREATE}?a=1", {"json": PAYMENT, "headers": keyed("a")}, 202, "ignores them",
    ),
    "another Accept": (
        "POST", CREATE, {"json": PAYMENT, "headers": {**keyed("a"), "Accept": "text/html"}}, 202,
        "`Accept` changes nothing",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", ODD)
async def test_an_odd_request_is_answered_as_the_document_says(
    client: httpx.AsyncClient, case: str
) -> None:
    """The document's description has the rule."""
    method, path, sent, status, rule = ODD[case]
    answer = await client.request(method, path, **sent)
    assert answer.status_code == status
    assert rule in (await _document(client))["info"]["description"]
    if status == 405:
        assert answer.headers["allow"] == "GET, POST"
    if status >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
    else:
        assert answer.headers["content-type"] == "application/json"
    assert answer.headers.get("cache-control") == "no-store" or not path.startswith("/v1/")
    assert answer.headers["x-request-id"]


Stop = Callable[[Log, FakeStore], None]


def _nothing(_log: Log, _store: FakeStore) -> None:
    """Everything works."""


def _log_stops(log: Log, _store: FakeStore) -> None:
    log.failure = BrokerUnavailableError("stopped", sent=False)


def _store_stops(_log: Log, store: FakeStore) -> None:
    store.available = False


_NEGATIVE: Final = {**PAYMENT, "amount": 0}
#: How a client comes to a problem: what stops before, and the request.
PROBLEMS: Final[dict[str, tuple[Stop, str, str, dict[str, Any]]]] = {
    "unauthorized": (_nothing, "GET", CREATE, {"headers": {"Authorization": "Bearer another"}}),
    "idempotency-key-missing": (_nothing, "POST", CREATE, {"json": PAYMENT}),
    "idempotency-key-invalid": (_nothing, "POST", CREATE, {"json": PAYMENT, "headers": keyed("")}),
    "malformed-body": (
        _nothing, "POST", CREATE,
        {"content": b"", "headers": {**keyed("a"), "Content-Type": "application/json"}},
    ),
    "unsupported-media-type": (
        _nothing, "POST", CREATE, {"content": b"{}", "headers": keyed("a")},
    ),
    "invalid-fields": (_nothing, "POST", CREATE, {"json": _NEGATIVE, "headers": keyed("a")}),
    "invalid-cursor": (_nothing, "GET", f"{CREATE}?cursor=x", {}),
    "unknown-payment": (_nothing, "GET", OTHERS, {}),
    "unknown-provider": (_nothing, "POST", "/webhooks/nobody", {"json": {}}),
    "broker-unavailable": (_log_stops, "POST", CREATE, {"json": PAYMENT, "headers": keyed("a")}),
    "database-unavailable": (_store_stops, "GET", CREATE, {}),
}  # fmt: skip


@pytest.mark.parametrize("slug", PROBLEMS)
async def test_a_documented_problem_is_the_one_that_the_service_answers_with(
    client: httpx.AsyncClient, log: Log, store: FakeStore, slug: str
) -> None:
    """In the same words, unless they name what was sent; with the documented headers."""
    stop, method, path, sent = PROBLEMS[slug]
    stop(log, store)
    answer = await client.request(method, path, **sent)
    document = await _document(client)
    pattern = path.partition("?")[0].replace(OTHERS, "/v1/payments/{id}")
    pattern = pattern.replace("nobody", "{provider}")
    documented = document["paths"][pattern][method.lower()]["responses"][str(answer.status_code)]
    shown = documented["content"]["application/problem+json"]["examples"][slug]["value"]
    found = answer.json()
    assert {name: found[name] for name in ("type", "title", "status")} == {
        name: shown[name] for name in ("type", "title", "status")
    }
    assert found.keys() == shown.keys()
    if slug not in {"idempotency-key-missing", "idempotency-key-invalid"}:
        assert found == shown
    several = len(documented["content"]["application/problem+json"]["examples"]) > 1
    for header in {"Retry-After", "WWW-Authenticate"} & documented["headers"].keys():
        assert header in answer.headers or several
