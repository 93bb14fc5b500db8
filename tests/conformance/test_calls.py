"""Calls: a key is one call, a lost answer is unknown, and a refusal means that nothing happened."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from domain.calls import ProviderCall
from ports.provider import (
    Acknowledged,
    NotNow,
    ProviderClient,
    ProviderUnavailableError,
    Refused,
    Unknown,
)
from tests.conformance.kit.adapter import Adapter
from tests.conformance.kit.answering import BODIES, STATUSES, answering
from tests.conformance.kit.rows import over_http
from tests.conformance.kit.story import OPERATIONS, call, made, ready_for

pytestmark = [pytest.mark.anyio, over_http]
every_operation = pytest.mark.parametrize("operation", OPERATIONS)


def made_anew(asked: ProviderCall) -> str:
    """The key of the second generation of a call."""
    return f"{asked.key}.1"


@every_operation
async def test_a_key_is_one_call(adapter: Adapter, client: ProviderClient, operation: str) -> None:
    """However often it is sent: the same answer, and nothing more at the provider."""
    asked = await ready_for(adapter, client, operation)
    first = await made(client, asked)
    adapter.settle()
    objects, reported = adapter.objects(), len(adapter.facts())
    assert await made(client, asked) == first
    assert await made(client, asked) == first
    adapter.settle()
    assert adapter.objects() == objects
    assert len(adapter.facts()) == reported


async def test_a_key_that_was_used_otherwise_refuses_nothing(
    adapter: Adapter, client: ProviderClient
) -> None:
    """Something was done under this key: that is to be found out, not to be called a failure."""
    asked = call(adapter, "create")
    await made(client, asked)
    outcome = await client.call(call(adapter, "create", amount=999), asked.key)
    assert isinstance(outcome, Unknown)
    assert len(adapter.objects().payments) == 1


@every_operation
async def test_a_lost_answer_is_unknown_and_found(
    adapter: Adapter, client: ProviderClient, operation: str
) -> None:
    """It happened, once: a look-up finds exactly that object, and so does the key sent again."""
    asked = await ready_for(adapter, client, operation)
    tried_at = datetime.now(UTC)
    adapter.lose_answers()
    assert isinstance(await client.call(asked, asked.key), Unknown)
    adapter.mend()
    objects = adapter.objects()
    found = await client.look_up(asked, tried_at)
    assert isinstance(found, Acknowledged)
    assert found.object_id in {*objects.payments, *objects.refunds}
    assert await made(client, asked) == found.object_id
    assert adapter.objects() == objects
    assert len(objects.payments) == 1
    if operation == "refund":
        assert len(objects.refunds) == 1


@every_operation
async def test_a_lost_request_is_unknown_and_not_found(
    adapter: Adapter, client: ProviderClient, operation: str
) -> None:
    """It never happened: a look-up says so, and under the next key it happens."""
    asked = await ready_for(adapter, client, operation)
    tried_at, objects = datetime.now(UTC), adapter.objects()
    adapter.be_unreachable()
    assert isinstance(await client.call(asked, asked.key), Unknown)
    adapter.mend()
    assert adapter.objects() == objects
    assert await client.look_up(asked, tried_at) is None
    assert isinstance(await client.call(asked, made_anew(asked)), Acknowledged)


@pytest.mark.parametrize("operation", ["create", "confirm"])
async def test_a_decline_whose_answer_was_lost_is_found(
    adapter: Adapter, client: ProviderClient, operation: str
) -> None:
    """The attempt was made, and is over: to make it again would be one too many."""
    declined = {"payment_method": adapter.tokens.declined}
    asked = await ready_for(adapter, client, operation)
    asked = call(adapter, operation, asked.object_id, **declined)
    tried_at = datetime.now(UTC)
    adapter.lose_answers()
    assert isinstance(await client.call(asked, made_anew(asked)), Unknown)
    adapter.mend()
    assert await client.look_up(asked, tried_at) == Acknowledged(adapter.objects().payments[0])


async def test_a_refund_of_another_payment_is_not_it(
    adapter: Adapter, client: ProviderClient
) -> None:
    """The same refund ID elsewhere proves nothing here."""
    one = await made(client, call(adapter, "create"))
    other = await made(client, call(adapter, "create", key="another"))
    await made(client, call(adapter, "refund", other))
    assert await client.look_up(call(adapter, "refund", one), datetime.now(UTC)) is None


async def test_a_refund_of_another_amount_is_not_it(
    adapter: Adapter, client: ProviderClient
) -> None:
    """Our refund ID can be written on any refund: one of another amount is not the one we made."""
    object_id = await made(client, call(adapter, "create"))
    await made(client, call(adapter, "refund", object_id, key="somebody", amount=100))
    since = datetime.now(UTC) - timedelta(hours=1)
    assert await client.look_up(call(adapter, "refund", object_id), since) is None
    ours = await made(client, call(adapter, "refund", object_id))
    assert await client.look_up(call(adapter, "refund", object_id), since) == Acknowledged(ours)


async def test_an_unknown_payment_method_is_refused(
    adapter: Adapter, client: ProviderClient
) -> None:
    """Nothing was made, and nothing ever will be of it."""
    asked = call(adapter, "create", payment_method="nobody-knows-it")
    outcome = await client.call(asked, asked.key)
    assert isinstance(outcome, Refused)
    assert outcome.code
    assert outcome.message
    assert adapter.objects().payments == ()
    assert await client.look_up(asked, datetime.now(UTC)) is None


async def test_more_than_there_is_is_refused(adapter: Adapter, client: ProviderClient) -> None:
    """A refund above what was captured: no refund was made."""
    object_id = await made(client, call(adapter, "create"))
    too_much = call(adapter, "refund", object_id, amount=1235)
    assert isinstance(await client.call(too_much, too_much.key), Refused)
    assert adapter.objects().refunds == ()


@pytest.mark.parametrize("operation", ["confirm", "capture"])
async def test_what_is_over_is_refused(
    adapter: Adapter, client: ProviderClient, operation: str
) -> None:
    """After a cancel nothing can be tried or taken any more; another cancel has been done."""
    object_id = await made(client, call(adapter, "create", capture_method="manual"))
    await made(client, call(adapter, "cancel", object_id))
    asked = call(adapter, operation, object_id)
    assert isinstance(await client.call(asked, asked.key), Refused)
    assert await made(client, call(adapter, "cancel", object_id, key="again")) == object_id


async def test_too_early_is_not_now(adapter: Adapter, client: ProviderClient) -> None:
    """A capture while the customer is asked: refused today, and good under the next key."""
    token = adapter.tokens.customer
    waiting = call(adapter, "create", payment_method=token, capture_method="manual")
    object_id = await made(client, waiting)
    asked = call(adapter, "capture", object_id)
    assert isinstance(await client.call(asked, asked.key), NotNow)
    adapter.customer(object_id, passes=True)
    assert await client.call(asked, made_anew(asked)) == Acknowledged(object_id)


@pytest.mark.parametrize("operation", ["capture", "cancel", "confirm"])
async def test_what_is_done_is_acknowledged(
    adapter: Adapter, client: ProviderClient, operation: str
) -> None:
    """A paid payment was captured, can't be cancelled any more, and needs no other attempt."""
    object_id = await made(client, call(adapter, "create"))
    assert await made(client, call(adapter, operation, object_id)) == object_id


@every_operation
async def test_a_wrong_api_key_refuses_nothing(adapter: Adapter, operation: str) -> None:
    """It is the operator's to mend: the calls wait."""
    async with closing(adapter.client(api_key="key-of-somebody-else")) as stranger:
        asked = call(adapter, operation, "an-object")
        assert isinstance(await stranger.call(asked, asked.key), Unknown)
        with pytest.raises(ProviderUnavailableError):
            await stranger.look_up(asked, datetime.now(UTC))


@pytest.mark.parametrize("operation", ["confirm", "capture", "cancel", "refund"])
async def test_an_account_that_knows_no_such_payment_refuses_nothing(
    adapter: Adapter, client: ProviderClient, operation: str
) -> None:
    """A provider loses no payment: the API key is of another account, or the address another."""
    asked = call(adapter, operation, "payment-of-another-account")
    assert isinstance(await client.call(asked, asked.key), Unknown)


@pytest.mark.parametrize("status", STATUSES)
async def test_an_answer_of_somebody_else_is_unknown(running: Adapter, status: str) -> None:
    """Something between us and the provider answered: nobody knows whether the call went on."""
    async with answering() as server, closing(running.client(server.address)) as client:
        for body in BODIES:
            server.answer = status, body
            await learns_nothing(running, client)


async def test_an_answer_that_does_not_come_is_unknown(running: Adapter) -> None:
    """After the deadline, which is ours."""
    async with answering() as server, closing(running.client(server.address, None, 0.2)) as hasty:
        await learns_nothing(running, hasty)


async def test_nobody_there_is_unknown(running: Adapter) -> None:
    """A host that takes no connection."""
    async with closing(running.client("http://127.0.0.1:1")) as alone:
        await learns_nothing(running, alone)


async def learns_nothing(adapter: Adapter, client: ProviderClient) -> None:
    """A call is neither done nor refused, and no question is answered."""
    asked = call(adapter, "create")
    assert isinstance(await client.call(asked, asked.key), Unknown)
    with pytest.raises(ProviderUnavailableError):
        await client.look_up(asked, datetime.now(UTC))
    with pytest.raises(ProviderUnavailableError):
        await client.retrieve("an-object")
    with pytest.raises(ProviderUnavailableError):
        [page async for page in client.events_after(None)]


@asynccontextmanager
async def closing(client: ProviderClient) -> AsyncIterator[ProviderClient]:
    """The client, closed at the end."""
    yield client
    await client.close()
