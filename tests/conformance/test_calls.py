"""Calls: a key is one call, a lost response is unknown, a refusal means nothing happened."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from domain.call_key import CallKey
from domain.calls import ProviderCall
from domain.status import CancelCause
from ports.provider import (
    Acknowledged,
    NotNow,
    ProviderClient,
    ProviderUnavailableError,
    Refused,
    Unknown,
)
from tests.conformance.kit.adapter import Adapter
from tests.conformance.kit.calls import OPERATIONS, PAYMENT, call, make, ready_for
from tests.conformance.kit.http_stub import BODIES, STATUSES, http_stub
from tests.conformance.kit.rows import over_http

pytestmark = [pytest.mark.anyio, over_http]
every_operation = pytest.mark.parametrize("operation", OPERATIONS)


def retry_key(called: ProviderCall) -> str:
    """The key for a call's second generation."""
    return f"{called.key}.1"


@every_operation
async def test_a_key_is_one_call(adapter: Adapter, client: ProviderClient, operation: str) -> None:
    """Sent again, it gets the same response and has no further effect."""
    called = await ready_for(adapter, client, operation)
    first = await make(client, called)
    adapter.settle()
    objects, reported = adapter.objects(), len(adapter.facts())
    assert await make(client, called) == first
    assert await make(client, called) == first
    adapter.settle()
    assert adapter.objects() == objects
    assert len(adapter.facts()) == reported


async def test_a_key_used_for_another_request_is_unknown(
    adapter: Adapter, client: ProviderClient
) -> None:
    """A call took effect under this key. Only a look-up shows what happened."""
    called = call(adapter, "create")
    await make(client, called)
    outcome = await client.call(call(adapter, "create", amount=999), called.key)
    assert isinstance(outcome, Unknown)
    assert outcome.repeats
    assert len(adapter.objects().payments) == 1


async def test_a_kept_request_is_sent_as_it_was_prepared(
    adapter: Adapter, client: ProviderClient
) -> None:
    """A later release may build another request for the call; the provider gets the first one."""
    called = call(adapter, "create", capture_method="manual")
    kept = client.prepare(called)
    assert isinstance(kept, bytes)
    object_id = await make(client, called)
    changed = call(adapter, "create", capture_method="automatic", amount=999)
    assert await client.call(changed, called.key, kept) == Acknowledged(object_id)
    assert len(adapter.objects().payments) == 1


@every_operation
async def test_a_kept_request_has_no_secret(
    adapter: Adapter, client: ProviderClient, operation: str
) -> None:
    """It stands in Postgres until the call is done."""
    kept = client.prepare(call(adapter, operation, "object-1"))
    assert isinstance(kept, bytes)
    assert not re.search(rb"(?i)secret|authorization|api.?key|sk_|rk_", kept)


@every_operation
async def test_a_lost_response_is_unknown_and_the_object_is_found(
    adapter: Adapter, client: ProviderClient, operation: str
) -> None:
    """The call took effect once: a look-up finds its object, and so does the same key."""
    called = await ready_for(adapter, client, operation)
    tried_at = datetime.now(UTC)
    adapter.lose_responses()
    assert isinstance(await client.call(called, called.key), Unknown)
    adapter.clear_faults()
    objects = adapter.objects()
    found = await client.look_up(called, tried_at)
    assert isinstance(found, Acknowledged)
    assert found.object_id in {*objects.payments, *objects.refunds}
    assert await make(client, called) == found.object_id
    assert adapter.objects() == objects
    assert len(objects.payments) == 1
    if operation == "refund":
        assert len(objects.refunds) == 1


@every_operation
async def test_a_lost_request_is_unknown_and_not_found(
    adapter: Adapter, client: ProviderClient, operation: str
) -> None:
    """The call had no effect: a look-up finds nothing, and the next key takes effect."""
    called = await ready_for(adapter, client, operation)
    tried_at, objects = datetime.now(UTC), adapter.objects()
    adapter.become_unreachable()
    assert isinstance(await client.call(called, called.key), Unknown)
    adapter.clear_faults()
    assert adapter.objects() == objects
    assert await client.look_up(called, tried_at) is None
    assert isinstance(await client.call(called, retry_key(called)), Acknowledged)


@pytest.mark.parametrize("operation", ["create", "confirm"])
async def test_a_decline_whose_response_was_lost_is_found(
    adapter: Adapter, client: ProviderClient, operation: str
) -> None:
    """The attempt was made and is over, so it must not be made again."""
    declined = {"payment_method": adapter.tokens.declined}
    called = await ready_for(adapter, client, operation)
    called = call(adapter, operation, called.object_id, **declined)
    tried_at = datetime.now(UTC)
    adapter.lose_responses()
    assert isinstance(await client.call(called, retry_key(called)), Unknown)
    adapter.clear_faults()
    assert await client.look_up(called, tried_at) == Acknowledged(adapter.objects().payments[0])


async def test_a_look_up_ignores_a_payment_that_only_copies_our_id(
    adapter: Adapter, client: ProviderClient
) -> None:
    """Anybody can write our payment ID on a payment, before or after our own call."""
    called, since = call(adapter, "create"), datetime.now(UTC) - timedelta(hours=1)
    await make(client, call(adapter, "create", key="somebody"))
    assert await client.look_up(called, since) is None
    adapter.lose_responses()
    assert isinstance(await client.call(called, called.key), Unknown)
    adapter.clear_faults()
    made = await make(client, called)
    await make(client, call(adapter, "create", key="somebody-else"))
    assert await client.look_up(called, since) == Acknowledged(made)


async def test_a_look_up_ignores_a_refund_of_another_payment(
    adapter: Adapter, client: ProviderClient
) -> None:
    """The same refund ID on another payment's refund proves nothing."""
    one = await make(client, call(adapter, "create"))
    other = await make(client, call(adapter, "create", key="another"))
    await make(client, call(adapter, "refund", other))
    assert await client.look_up(call(adapter, "refund", one), datetime.now(UTC)) is None


async def test_a_look_up_ignores_a_refund_of_another_amount(
    adapter: Adapter, client: ProviderClient
) -> None:
    """Anybody can write our refund ID on a refund: the amount must match too."""
    object_id = await make(client, call(adapter, "create"))
    await make(client, call(adapter, "refund", object_id, key="somebody", amount=100))
    since = datetime.now(UTC) - timedelta(hours=1)
    assert await client.look_up(call(adapter, "refund", object_id), since) is None
    made = await make(client, call(adapter, "refund", object_id))
    assert await client.look_up(call(adapter, "refund", object_id), since) == Acknowledged(made)


async def test_an_unknown_payment_method_is_refused(
    adapter: Adapter, client: ProviderClient
) -> None:
    """No object was created, and a look-up finds none."""
    called = call(adapter, "create", payment_method="nobody-knows-it")
    outcome = await client.call(called, called.key)
    assert isinstance(outcome, Refused)
    assert outcome.code
    assert outcome.message
    assert adapter.objects().payments == ()
    assert await client.look_up(called, datetime.now(UTC)) is None


async def test_a_refund_above_the_captured_amount_is_refused(
    adapter: Adapter, client: ProviderClient
) -> None:
    """No refund is created."""
    object_id = await make(client, call(adapter, "create"))
    too_much = call(adapter, "refund", object_id, amount=1235)
    assert isinstance(await client.call(too_much, too_much.key), Refused)
    assert adapter.objects().refunds == ()


@pytest.mark.parametrize("operation", ["confirm", "capture"])
async def test_a_call_after_a_cancel_is_refused(
    adapter: Adapter, client: ProviderClient, operation: str
) -> None:
    """Confirm and capture are refused; another cancel is acknowledged."""
    object_id = await make(client, call(adapter, "create", capture_method="manual"))
    await make(client, call(adapter, "cancel", object_id))
    called = call(adapter, operation, object_id)
    assert isinstance(await client.call(called, called.key), Refused)
    assert await make(client, call(adapter, "cancel", object_id, key="again")) == object_id


def _last_cancel(adapter: Adapter, object_id: str) -> ProviderCall:
    key, cause = str(CallKey.cancel_exhausted(PAYMENT)), CancelCause.ATTEMPTS_EXHAUSTED
    return call(adapter, "cancel", object_id, key=key, cancel_cause=cause)


@pytest.mark.parametrize("first", ["cancel", "capture"])
async def test_our_last_cancel_is_refused_if_the_payment_was_final_before(
    adapter: Adapter, client: ProviderClient, first: str
) -> None:
    """Its acknowledgement makes a payment FAILED, so it must mean that this call cancelled it."""
    object_id = await make(client, call(adapter, "create", capture_method="manual"))
    await make(client, call(adapter, first, object_id))
    called = _last_cancel(adapter, object_id)
    assert isinstance(await client.call(called, called.key), Refused)
    since = datetime.now(UTC) - timedelta(hours=1)
    assert isinstance(await client.look_up(called, since), Refused)


async def test_our_last_cancel_is_found_under_any_of_its_keys(
    adapter: Adapter, client: ProviderClient
) -> None:
    """The provider says which key cancelled the payment; the payment's state alone does not."""
    object_id = await make(client, call(adapter, "create", capture_method="manual"))
    called, since = _last_cancel(adapter, object_id), datetime.now(UTC) - timedelta(hours=1)
    assert await client.look_up(called, since) is None
    assert await client.call(called, retry_key(called)) == Acknowledged(object_id)
    assert await client.look_up(called, since) == Acknowledged(object_id)


async def test_too_early_is_not_now(adapter: Adapter, client: ProviderClient) -> None:
    """A capture before the customer has acted must wait; it succeeds later under the next key."""
    token = adapter.tokens.customer
    waiting = call(adapter, "create", payment_method=token, capture_method="manual")
    object_id = await make(client, waiting)
    called = call(adapter, "capture", object_id)
    assert isinstance(await client.call(called, called.key), NotNow)
    adapter.customer(object_id, passes=True)
    assert await client.call(called, retry_key(called)) == Acknowledged(object_id)


@pytest.mark.parametrize("operation", ["capture", "confirm"])
async def test_a_call_after_success_is_acknowledged(
    adapter: Adapter, client: ProviderClient, operation: str
) -> None:
    """The payment is already captured, so capture and confirm have no effect."""
    object_id = await make(client, call(adapter, "create"))
    assert await make(client, call(adapter, operation, object_id)) == object_id


async def test_a_cancel_after_the_capture_is_refused(
    adapter: Adapter, client: ProviderClient
) -> None:
    """The money was taken, so nothing was cancelled. A look-up of a lost answer says the same."""
    called = call(adapter, "cancel", await make(client, call(adapter, "create")))
    for outcome in (
        await client.call(called, called.key),
        await client.look_up(called, datetime.now(UTC)),
    ):
        assert isinstance(outcome, Refused)
        assert outcome.code == "already_captured"
        assert outcome.message


async def test_a_cancel_after_a_cancel_is_acknowledged(
    adapter: Adapter, client: ProviderClient
) -> None:
    """The payment is cancelled, as the client asked. Our own last cancel needs proof."""
    object_id = await make(client, call(adapter, "create", capture_method="manual"))
    called = call(adapter, "cancel", object_id)
    assert await make(client, called) == object_id
    again = retry_key(called)
    assert await client.call(called, again) == Acknowledged(object_id)
    assert await client.look_up(called, datetime.now(UTC)) == Acknowledged(object_id)


@every_operation
async def test_a_wrong_api_key_refuses_nothing(adapter: Adapter, operation: str) -> None:
    """The operator has to correct it; until then, calls wait."""
    async with closing(adapter.client(api_key="key-of-somebody-else")) as unauthorized:
        called = call(adapter, operation, "an-object")
        assert isinstance(await unauthorized.call(called, called.key), Unknown)
        with pytest.raises(ProviderUnavailableError):
            await unauthorized.look_up(called, datetime.now(UTC))


@pytest.mark.parametrize("operation", ["confirm", "capture", "cancel", "refund"])
async def test_an_unknown_payment_refuses_nothing(
    adapter: Adapter, client: ProviderClient, operation: str
) -> None:
    """A provider loses no payment, so the API key or the address is of another account."""
    called = call(adapter, operation, "payment-of-another-account")
    assert isinstance(await client.call(called, called.key), Unknown)


@pytest.mark.parametrize("status", STATUSES)
async def test_a_response_of_another_server_is_unknown(running: Adapter, status: str) -> None:
    """It may come from a proxy, and the call may have reached the provider."""
    async with http_stub() as server, closing(running.client(server.address)) as client:
        for body in BODIES:
            server.response = status, body
            await assert_unknown(running, client)


async def test_a_missing_response_is_unknown(running: Adapter) -> None:
    """The client stops waiting after its own deadline."""
    async with http_stub() as server, closing(running.client(server.address, None, 0.2)) as hasty:
        await assert_unknown(running, hasty)


async def test_a_refused_connection_is_unknown(running: Adapter) -> None:
    """A host that accepts no connection gives no outcome either."""
    async with closing(running.client("http://127.0.0.1:1")) as alone:
        await assert_unknown(running, alone)


async def assert_unknown(adapter: Adapter, client: ProviderClient) -> None:
    """Asserts that a call is neither acknowledged nor refused, and that every query fails."""
    called = call(adapter, "create")
    assert isinstance(await client.call(called, called.key), Unknown)
    with pytest.raises(ProviderUnavailableError):
        await client.look_up(called, datetime.now(UTC))
    with pytest.raises(ProviderUnavailableError):
        await client.retrieve("an-object")
    with pytest.raises(ProviderUnavailableError):
        [page async for page in client.events_after(None)]


@asynccontextmanager
async def closing(client: ProviderClient) -> AsyncIterator[ProviderClient]:
    """Closes the client at the end."""
    yield client
    await client.close()
