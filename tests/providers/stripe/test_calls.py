"""Calls to the simulator: the outcome of each, also if its response is lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from domain.calls import ProviderCall
from domain.status import CancelCause
from ports.provider import Acknowledged, NotNow, ProviderUnavailableError, Refused, Unknown
from providers.stripe.client import StripeApi
from tests.providers.stripe.builders import PAYMENT, REFUND, api_of, call, over_http
from tests.simulator.harness import Simulator

pytestmark = [pytest.mark.anyio, over_http]


def objects(provider: Simulator, kind: str) -> list[dict[str, Any]]:
    """Returns the provider's objects of one kind."""
    found: list[dict[str, Any]] = provider.read("objects")[kind]
    return found


async def acknowledged(api: StripeApi, provider_call: ProviderCall) -> str:
    """Makes a call, which must be acknowledged; returns the object's ID."""
    outcome = await api.call(provider_call, provider_call.key)
    assert isinstance(outcome, Acknowledged), outcome
    return outcome.object_id


@pytest.fixture
async def authorized(api: StripeApi) -> str:
    """An authorized payment intent."""
    return await acknowledged(api, call("create", capture_method="manual"))


@pytest.fixture
async def paid(api: StripeApi) -> str:
    """A succeeded payment intent of 10 EUR."""
    return await acknowledged(api, call("create"))


async def test_create_makes_one_payment_with_our_id(api: StripeApi, provider: Simulator) -> None:
    """It has the amount and the currency, and is confirmed at once."""
    object_id = await acknowledged(api, call("create", metadata={"order": "7"}))
    (intent,) = objects(provider, "payment_intents")
    assert (intent["id"], intent["status"]) == (object_id, "succeeded")
    assert (intent["amount"], intent["currency"]) == (1000, "eur")
    assert intent["metadata"] == {"payment_id": PAYMENT, "order": "7"}


async def test_confirm_tries_the_next_payment_method(api: StripeApi, provider: Simulator) -> None:
    """It makes another attempt on the same payment intent."""
    declined = await acknowledged(api, call("create", payment_method="pm_card_chargeDeclined"))
    assert await acknowledged(api, call("confirm", declined)) == declined
    (intent,) = objects(provider, "payment_intents")
    assert intent["status"] == "succeeded"
    assert len(objects(provider, "charges")) == 2


async def test_capture_takes_the_requested_amount(
    api: StripeApi, provider: Simulator, authorized: str
) -> None:
    """The amount may be less than the authorized one."""
    assert await acknowledged(api, call("capture", authorized)) == authorized
    (intent,) = objects(provider, "payment_intents")
    assert (intent["status"], intent["amount_received"]) == ("succeeded", 600)


@pytest.mark.parametrize(
    ("cause", "reason"),
    [
        (CancelCause.REQUESTED, "requested_by_customer"),
        (CancelCause.ATTEMPTS_EXHAUSTED, "abandoned"),
    ],
)
async def test_cancel_passes_on_the_reason(
    api: StripeApi, provider: Simulator, authorized: str, cause: CancelCause, reason: str
) -> None:
    """The payment intent has the reason, which its event reports."""
    assert await acknowledged(api, call("cancel", authorized, cancel_cause=cause)) == authorized
    (intent,) = objects(provider, "payment_intents")
    assert (intent["status"], intent["cancellation_reason"]) == ("canceled", reason)


async def test_refund_has_our_ids(api: StripeApi, provider: Simulator, paid: str) -> None:
    """A partial refund of the payment has our payment ID and our refund ID."""
    refund_id = await acknowledged(api, call("refund", paid))
    (refund,) = objects(provider, "refunds")
    assert (refund["id"], refund["amount"], refund["payment_intent"]) == (refund_id, 400, paid)
    assert refund["metadata"] == {"payment_id": PAYMENT, "refund_id": REFUND}


async def test_a_declined_create_is_acknowledged(api: StripeApi, provider: Simulator) -> None:
    """Its payment intent exists; the webhook reports the decline."""
    object_id = await acknowledged(api, call("create", payment_method="pm_card_chargeDeclined"))
    (intent,) = objects(provider, "payment_intents")
    assert (intent["id"], intent["status"]) == (object_id, "requires_payment_method")


async def test_an_unknown_payment_method_is_refused(api: StripeApi, provider: Simulator) -> None:
    """No payment intent is created."""
    outcome = await api.call(call("create", payment_method="pm_none"), "key-1")
    assert isinstance(outcome, Refused)
    assert outcome.code == "resource_missing"
    assert objects(provider, "payment_intents") == []


async def test_calls_that_the_status_forbids(
    api: StripeApi, provider: Simulator, paid: str
) -> None:
    """Already done is an acknowledgement, too much is a refusal, and too early is NotNow."""
    assert await acknowledged(api, call("capture", paid)) == paid
    refused = await api.call(call("cancel", paid), call("cancel", paid).key)
    assert refused == Refused("already_captured", "The payment was captured before.")
    assert await acknowledged(api, call("confirm", paid)) == paid
    too_much = await api.call(call("refund", paid, amount=1001), "key-too-much")
    assert isinstance(too_much, Refused)
    waiting = await acknowledged(
        api, call("create", key="k2", payment_method="pm_card_authenticationRequired")
    )
    assert isinstance(await api.call(call("capture", waiting), "key-too-early"), NotNow)
    assert len(objects(provider, "refunds")) == 0


async def test_one_key_is_one_object(api: StripeApi, provider: Simulator) -> None:
    """Repeated calls with one key create one object."""
    assert len({await acknowledged(api, call("create")) for _ in range(3)}) == 1
    assert len(objects(provider, "payment_intents")) == 1


async def test_a_key_with_other_parameters_is_an_unknown_outcome(
    api: StripeApi, provider: Simulator
) -> None:
    """An earlier call with this key took effect, so it is no refusal."""
    await acknowledged(api, call("create"))
    outcome = await api.call(call("create", amount=2000), call("create").key)
    assert isinstance(outcome, Unknown)
    assert len(objects(provider, "payment_intents")) == 1


LOST = {
    "a connection reset before": ({"reset_before": 1.0}, 0),
    "a connection reset after": ({"reset_after": 1.0}, 1),
    "a 500 before": ({"error_500_before": 1.0}, 0),
    "a 500 after": ({"error_500_after": 1.0}, 1),
    "a 429": ({"rate_limit_429": 1.0}, 0),
}


@pytest.mark.parametrize("fault", LOST)
async def test_a_lost_response_is_an_unknown_outcome(
    api: StripeApi, provider: Simulator, fault: str
) -> None:
    """Whether or not the call took effect, a retry with the same key leads to one object."""
    faults, happened = LOST[fault]
    provider.set_faults(**faults)
    outcome = await api.call(call("create"), call("create").key)
    assert isinstance(outcome, Unknown)
    assert not outcome.repeats
    assert len(objects(provider, "payment_intents")) == happened
    provider.set_faults()
    if fault == "a 500 after":
        again = await api.call(call("create"), call("create").key)
        assert isinstance(again, Unknown)
        assert again.repeats
    else:
        await acknowledged(api, call("create"))
    assert len(objects(provider, "payment_intents")) == 1


async def test_a_timeout_is_an_unknown_outcome(provider: Simulator) -> None:
    """The configured timeout applies."""
    provider.set_faults(timeout_after=1.0)
    async with api_of(provider.base_url, timeout_s=0.3) as impatient:
        outcome = await impatient.call(call("create"), "key-1")
        assert outcome == Unknown("no response within 0.3 s")
        with pytest.raises(ProviderUnavailableError):
            await impatient.retrieve("pi_1")
    assert len(objects(provider, "payment_intents")) == 1


async def test_a_refused_connection_is_an_unknown_outcome() -> None:
    """A look-up raises an error."""
    async with api_of("http://127.0.0.1:1") as unreachable:
        assert isinstance(await unreachable.call(call("create"), "key-1"), Unknown)
        with pytest.raises(ProviderUnavailableError):
            await unreachable.look_up(call("create"), datetime.now(UTC))


async def test_a_wrong_api_key_refuses_no_payment(provider: Simulator) -> None:
    """The calls wait until an operator fixes the key."""
    async with api_of(provider.base_url, key="sk_test_of_another") as wrong_account:
        for operation in ("create", "confirm", "capture", "cancel", "refund"):
            outcome = await wrong_account.call(call(operation), operation)
            assert isinstance(outcome, Unknown)
            assert "401" in outcome.reason
        with pytest.raises(ProviderUnavailableError):
            await wrong_account.look_up(call("create"), datetime.now(UTC))


@pytest.mark.parametrize("operation", ["confirm", "capture", "cancel", "refund"])
async def test_an_unknown_payment_intent_is_an_unknown_outcome(
    api: StripeApi, operation: str
) -> None:
    """Stripe loses no payment intent, so the API key has the wrong account or mode."""
    provider_call = call(operation, "pi_of_another_account")
    assert isinstance(await api.call(provider_call, provider_call.key), Unknown)


@asynccontextmanager
async def _responding(status: str, body: bytes) -> AsyncIterator[str]:
    """Runs a server that always sends this response; yields its address."""

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n".encode())
        writer.write(b"Connection: close\r\n\r\n" + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(respond, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"


@pytest.mark.parametrize("status", ["200 OK", "400 Bad Request", "502 Bad Gateway"])
@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"null", b"[]", b'"x"', b"{}", b'{"id": null}', b'{"error": "x"}']
)
async def test_a_response_that_is_not_stripes_is_an_unknown_outcome(
    status: str, body: bytes
) -> None:
    """A proxy may have responded, so it is unknown whether the call reached Stripe."""
    async with _responding(status, body) as address, api_of(address) as api:
        assert isinstance(await api.call(call("create"), "key-1"), Unknown)
        with pytest.raises(ProviderUnavailableError):
            await api.look_up(call("create"), datetime.now(UTC))
