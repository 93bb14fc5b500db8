"""Calls made of the simulator: what each comes to, also when its answer is lost on the way."""

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
    """What there is at the provider, of one kind."""
    found: list[dict[str, Any]] = provider.read("objects")[kind]
    return found


async def made(api: StripeApi, asked: ProviderCall) -> str:
    """The object's ID that an acknowledged call answers with."""
    outcome = await api.call(asked, asked.key)
    assert isinstance(outcome, Acknowledged), outcome
    return outcome.object_id


@pytest.fixture
async def held(api: StripeApi) -> str:
    """A payment intent whose money is held."""
    return await made(api, call("create", capture_method="manual"))


@pytest.fixture
async def paid(api: StripeApi) -> str:
    """A payment intent of 10 euros that succeeded."""
    return await made(api, call("create"))


async def test_create_makes_one_payment_that_carries_our_id(
    api: StripeApi, provider: Simulator
) -> None:
    """With the amount, in the currency, confirmed at once."""
    object_id = await made(api, call("create", metadata={"order": "7"}))
    (intent,) = objects(provider, "payment_intents")
    assert (intent["id"], intent["status"]) == (object_id, "succeeded")
    assert (intent["amount"], intent["currency"]) == (1000, "eur")
    assert intent["metadata"] == {"payment_id": PAYMENT, "order": "7"}


async def test_confirm_tries_the_next_payment_method(api: StripeApi, provider: Simulator) -> None:
    """On the same payment intent."""
    declined = await made(api, call("create", payment_method="pm_card_chargeDeclined"))
    assert await made(api, call("confirm", declined)) == declined
    (intent,) = objects(provider, "payment_intents")
    assert intent["status"] == "succeeded"
    assert len(objects(provider, "charges")) == 2


async def test_capture_takes_what_was_asked(api: StripeApi, provider: Simulator, held: str) -> None:
    """A part of what is held."""
    assert await made(api, call("capture", held)) == held
    (intent,) = objects(provider, "payment_intents")
    assert (intent["status"], intent["amount_received"]) == ("succeeded", 600)


@pytest.mark.parametrize(
    ("cause", "reason"),
    [
        (CancelCause.REQUESTED, "requested_by_customer"),
        (CancelCause.ATTEMPTS_EXHAUSTED, "abandoned"),
    ],
)
async def test_cancel_says_why(
    api: StripeApi, provider: Simulator, held: str, cause: CancelCause, reason: str
) -> None:
    """The reason comes back in the event."""
    assert await made(api, call("cancel", held, cancel_cause=cause)) == held
    (intent,) = objects(provider, "payment_intents")
    assert (intent["status"], intent["cancellation_reason"]) == ("canceled", reason)


async def test_refund_gives_back_under_our_id(
    api: StripeApi, provider: Simulator, paid: str
) -> None:
    """A part, on the payment, with both our IDs."""
    refund_id = await made(api, call("refund", paid))
    (refund,) = objects(provider, "refunds")
    assert (refund["id"], refund["amount"], refund["payment_intent"]) == (refund_id, 400, paid)
    assert refund["metadata"] == {"payment_id": PAYMENT, "refund_id": REFUND}


async def test_a_declined_create_is_acknowledged(api: StripeApi, provider: Simulator) -> None:
    """Its payment intent exists; the decline is the webhook's to tell."""
    object_id = await made(api, call("create", payment_method="pm_card_chargeDeclined"))
    (intent,) = objects(provider, "payment_intents")
    assert (intent["id"], intent["status"]) == (object_id, "requires_payment_method")


async def test_an_unknown_payment_method_is_refused(api: StripeApi, provider: Simulator) -> None:
    """Nothing was made, and nothing ever will be of it."""
    outcome = await api.call(call("create", payment_method="pm_none"), "key-1")
    assert isinstance(outcome, Refused)
    assert outcome.code == "resource_missing"
    assert objects(provider, "payment_intents") == []


async def test_what_the_state_forbids(api: StripeApi, provider: Simulator, paid: str) -> None:
    """Done already is an acknowledgement, too much is a refusal, too early is not now."""
    assert await made(api, call("capture", paid)) == paid
    assert await made(api, call("cancel", paid)) == paid
    assert await made(api, call("confirm", paid)) == paid
    too_much = await api.call(call("refund", paid, amount=1001), "key-too-much")
    assert isinstance(too_much, Refused)
    waiting = await made(
        api, call("create", key="k2", payment_method="pm_card_authenticationRequired")
    )
    assert isinstance(await api.call(call("capture", waiting), "key-too-early"), NotNow)
    assert len(objects(provider, "refunds")) == 0


async def test_one_key_is_one_object(api: StripeApi, provider: Simulator) -> None:
    """However often it is sent."""
    assert len({await made(api, call("create")) for _ in range(3)}) == 1
    assert len(objects(provider, "payment_intents")) == 1


async def test_a_key_that_was_used_otherwise_refuses_nothing(
    api: StripeApi, provider: Simulator
) -> None:
    """Something was done under this key: that is to be found out, not to be called a failure."""
    await made(api, call("create"))
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
async def test_a_lost_answer_is_unknown(api: StripeApi, provider: Simulator, fault: str) -> None:
    """Whether it happened or not, the same key asked again comes to one object."""
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
        await made(api, call("create"))
    assert len(objects(provider, "payment_intents")) == 1


async def test_an_answer_that_does_not_come_is_unknown(provider: Simulator) -> None:
    """After the deadline, which is ours."""
    provider.set_faults(timeout_after=1.0)
    async with api_of(provider.base_url, timeout_s=0.3) as hasty:
        outcome = await hasty.call(call("create"), "key-1")
        assert outcome == Unknown("no answer within 0.3 s")
        with pytest.raises(ProviderUnavailableError):
            await hasty.retrieve("pi_1")
    assert len(objects(provider, "payment_intents")) == 1


async def test_nobody_there_is_unknown() -> None:
    """A host that takes no connection."""
    async with api_of("http://127.0.0.1:1") as alone:
        assert isinstance(await alone.call(call("create"), "key-1"), Unknown)
        with pytest.raises(ProviderUnavailableError):
            await alone.look_up(call("create"), datetime.now(UTC))


async def test_a_wrong_api_key_refuses_no_payment(provider: Simulator) -> None:
    """It is the operator's to mend: the calls wait."""
    async with api_of(provider.base_url, key="sk_test_of_another") as stranger:
        for operation in ("create", "confirm", "capture", "cancel", "refund"):
            outcome = await stranger.call(call(operation), operation)
            assert isinstance(outcome, Unknown)
            assert "401" in outcome.reason
        with pytest.raises(ProviderUnavailableError):
            await stranger.look_up(call("create"), datetime.now(UTC))


@pytest.mark.parametrize("operation", ["confirm", "capture", "cancel", "refund"])
async def test_an_account_that_knows_no_such_payment_refuses_nothing(
    api: StripeApi, operation: str
) -> None:
    """Stripe loses no payment intent: the API key is of another account, or another mode."""
    asked = call(operation, "pi_of_another_account")
    assert isinstance(await api.call(asked, asked.key), Unknown)


@asynccontextmanager
async def _answering(status: str, body: bytes) -> AsyncIterator[str]:
    """The address of a server that always gives this answer."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n".encode())
        writer.write(b"Connection: close\r\n\r\n" + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"


@pytest.mark.parametrize("status", ["200 OK", "400 Bad Request", "502 Bad Gateway"])
@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"null", b"[]", b'"x"', b"{}", b'{"id": null}', b'{"error": "x"}']
)
async def test_an_answer_that_is_not_stripes_is_unknown(status: str, body: bytes) -> None:
    """Something between us and Stripe answered: whether the call went through is not known."""
    async with _answering(status, body) as address, api_of(address) as api:
        assert isinstance(await api.call(call("create"), "key-1"), Unknown)
        with pytest.raises(ProviderUnavailableError):
            await api.look_up(call("create"), datetime.now(UTC))
