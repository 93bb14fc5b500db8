"""Several providers: each has an address for its webhooks, and a client may name one."""

import httpx
import pytest

from ingress.command_builders import identify_create
from ingress.metrics import Metrics
from sandbox.examplepay_simulator.webhook_delivery import signature_headers
from schemas import headers, identity
from schemas.commands import VALUE, CreatePayment
from schemas.http import CreateRequest
from schemas.topics import PROVIDER_WEBHOOKS
from tests.conformance.kit.examplepay_adapter import ExamplePayAdapter
from tests.ingress.harness import (
    NOW,
    PAYMENT,
    SECOND_SECRET,
    FakeStore,
    Log,
    application,
    assert_problem,
    client_of,
    event,
    keyed,
    signed,
)

pytestmark = pytest.mark.anyio

OURS = identity.payment_id("acme", "order-1")


@pytest.mark.parametrize("named", ["stripe", "examplepay", None])
async def test_a_payment_goes_to_the_provider_it_names(
    acme: httpx.AsyncClient, log: Log, named: str | None
) -> None:
    """Without one, to the usual one."""
    body = PAYMENT if named is None else {**PAYMENT, "provider": named}
    answer = await acme.post("/v1/payments", json=body, headers=keyed("order-1"))
    assert answer.status_code == 202
    command = VALUE.validate_json(log.records[0].value)
    assert isinstance(command, CreatePayment)
    assert command.provider == (named or "stripe")


@pytest.mark.parametrize("named", ["nobody", "Stripe", "", " stripe", 7])
async def test_a_provider_that_is_not_there_is_422(
    acme: httpx.AsyncClient, log: Log, named: object
) -> None:
    """The field is named; nothing is published."""
    body = {**PAYMENT, "provider": named}
    answer = await acme.post("/v1/payments", json=body, headers=keyed("order-1"))
    problem = assert_problem(answer, 422, "invalid-fields")
    assert [each["field"] for each in problem["errors"]] == ["provider"]
    assert log.records == []


async def test_the_provider_is_part_of_what_is_asked(log: Log, metrics: Metrics) -> None:
    """The same key for another provider is another body, and refused: one key is one payment."""
    async with client_of(application(log, FakeStore(), metrics)) as acme:
        await ask_both_providers(acme)
    assert len(log.records) == 1


async def ask_both_providers(acme: httpx.AsyncClient) -> None:
    """The usual one, then the other under the same key, which is refused."""
    await acme.post("/v1/payments", json=PAYMENT, headers=keyed("order-1"))
    body = {**PAYMENT, "provider": "examplepay"}
    answer = await acme.post("/v1/payments", json=body, headers=keyed("order-1"))
    assert_problem(answer, 422, "idempotency-key-reused")


async def test_a_field_that_is_null_is_not_given(acme: httpx.AsyncClient, log: Log) -> None:
    """The same operation: a client that sends every field is no other client."""
    await acme.post("/v1/payments", json=PAYMENT, headers=keyed("order-1"))
    body = {**PAYMENT, "provider": None, "description": None}
    again = await acme.post("/v1/payments", json=body, headers=keyed("order-1"))
    assert (again.status_code, again.headers["idempotent-replayed"]) == (202, "true")
    assert len(log.records) == 1


def test_a_field_that_is_not_given_is_no_part_of_what_is_asked() -> None:
    """So that a field which comes to be in a later release makes no retry another body."""
    body = CreateRequest.model_validate(PAYMENT)
    asked = {**PAYMENT, "capture_method": "automatic", "max_attempts": 1, "metadata": {}}
    assert identify_create("acme", "order-1", body).fingerprint == identity.fingerprint(asked)


async def test_each_providers_webhooks_have_their_address(
    nobody: httpx.AsyncClient, log: Log
) -> None:
    """Verified by that provider's reader, and published under its name."""
    body = ExamplePayAdapter.payment_event("ntf-1", OURS)
    sent = signature_headers("ntf-1", body, SECOND_SECRET, int(NOW.timestamp()))
    answer = await nobody.post("/webhooks/examplepay", content=body, headers=sent)
    assert (answer.status_code, answer.json()) == (200, {"received": True})
    (record,) = log.records
    assert (record.topic, record.key, record.value) == (PROVIDER_WEBHOOKS, OURS.encode(), body)
    sent_headers = headers.as_text(record.headers)
    assert sent_headers[headers.PROVIDER] == "examplepay"
    assert sent_headers[headers.EVENT_ID] == "examplepay:ntf-1"
    assert sent_headers[headers.OBJECT_ID] == "payment-1"


async def test_one_providers_signature_is_nothing_to_another(
    nobody: httpx.AsyncClient, log: Log
) -> None:
    """Rightly signed by the one and sent to the other's address: refused, either way."""
    theirs = ExamplePayAdapter.payment_event("ntf-1", OURS)
    sent = signature_headers("ntf-1", theirs, SECOND_SECRET, int(NOW.timestamp()))
    answer = await nobody.post("/webhooks/stripe", content=theirs, headers=sent)
    assert_problem(answer, 400, "invalid-signature")
    other = event({"id": "pi_1"})
    answer = await nobody.post("/webhooks/examplepay", content=other, headers=signed(other))
    assert_problem(answer, 400, "invalid-signature")
    assert log.records == []


async def test_the_documentation_names_the_providers(nobody: httpx.AsyncClient) -> None:
    """Those that are there, and no others."""
    document = (await nobody.get("/openapi.json")).json()
    (parameter,) = document["paths"]["/webhooks/{provider}"]["post"]["parameters"]
    assert parameter["schema"]["enum"] == ["examplepay", "stripe"]
