"""The rate budget: each request takes from it, none is made without, a refusal for the rate counts.

A call that was not sent is due again under its key; look-ups and sweeps fail as in an outage.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Final

import pytest

from ports.provider import NotSent, ProviderClient, RateLimitedError, Unknown
from ports.rate_budget import RateBudget, RequestBudget, RequestClass
from tests.conformance.kit.adapter import Adapter
from tests.conformance.kit.calls import call, make
from tests.conformance.kit.http_stub import http_stub
from tests.conformance.kit.rows import over_http
from tests.conformance.test_calls import closing

pytestmark = [pytest.mark.anyio, over_http]

CALL, LOOK_UP, SWEEP = RequestClass
#: A response of a provider that has had too many requests.
TOO_MANY: Final = ("429 Too Many Requests\r\nRetry-After: 7", b'{"error": {"code": "rate_limit"}}')


class Budget:
    """A ``RateBudget`` that notes what is taken, and gives nothing if it is used up."""

    blocked_s = 0.0

    def __init__(self, *, is_used_up: bool = False) -> None:
        self.is_used_up = is_used_up
        self.taken: list[RequestClass] = []
        self.refusals: list[float | None] = []

    async def take(self, what: RequestClass) -> None:
        """See ``RateBudget.take``."""
        if self.is_used_up:
            raise RateLimitedError("the budget is used up", 3.0)
        self.taken.append(what)

    async def refused(self, wish_s: float | None) -> None:
        """See ``RateBudget.refused``."""
        self.refusals.append(wish_s)

    def of_endpoint(self, endpoint: str) -> RateBudget | None:
        """See ``RateBudget.of_endpoint``."""
        del endpoint
        return None


async def _list(client: ProviderClient, found: str) -> None:
    del found
    async for page in client.events_after(None):
        assert page


#: Every way to read from a provider.
READS: Final[dict[str, Callable[[ProviderClient, str], Awaitable[Any]]]] = {
    "an object": lambda client, found: client.retrieve(found),
    "the event list": _list,
}


@pytest.mark.parametrize("reads", [LOOK_UP, SWEEP])
async def test_every_request_takes_from_the_budget(adapter: Adapter, reads: RequestClass) -> None:
    """A call as a call, whatever only reads as what the client is for."""
    budget = Budget()
    async with closing(adapter.client(budget=RequestBudget(budget, reads))) as client:
        created = call(adapter, "create")
        object_id = await make(client, created)
        assert budget.taken == [CALL]
        for number, read in enumerate(READS.values(), start=1):
            await read(client, object_id)
            assert len(budget.taken) > number
        before = len(budget.taken)
        await client.look_up(created, datetime.now(UTC))
        assert len(budget.taken) > before
        assert set(budget.taken[1:]) == {reads}
        assert budget.refusals == []


async def test_without_a_token_no_request_is_made(adapter: Adapter) -> None:
    """The call is due again under its key when the budget says; the reads fail as in an outage."""
    budget = RequestBudget(Budget(is_used_up=True), LOOK_UP)
    async with http_stub() as server, closing(adapter.client(server.address, budget=budget)) as api:
        server.response = ("200 OK", b"{}")
        created = call(adapter, "create")
        assert await api.call(created, created.key) == NotSent("the budget is used up", 3.0)
        for read in READS.values():
            with pytest.raises(RateLimitedError) as raised:
                await read(api, "object-1")
            assert raised.value.retry_after_s == 3.0
        with pytest.raises(RateLimitedError):
            await api.look_up(created, datetime.now(UTC))
        assert server.requests == 0


async def test_a_request_refused_for_the_rate_is_noted(adapter: Adapter) -> None:
    """With the time that the provider wants. The provider is there: it is no outage."""
    budget = Budget()
    async with (
        http_stub() as server,
        closing(adapter.client(server.address, budget=RequestBudget(budget, SWEEP))) as client,
    ):
        server.response = TOO_MANY
        created = call(adapter, "create")
        outcome = await client.call(created, created.key)
        assert isinstance(outcome, Unknown)
        assert outcome.is_available
        assert outcome.retry_after_s == 7.0
        assert budget.refusals == [7.0]
        with pytest.raises(RateLimitedError) as raised:
            await client.retrieve("object-1")
        assert raised.value.retry_after_s == 7.0
        assert budget.refusals == [7.0, 7.0]
        assert len(budget.taken) == server.requests == 2


async def test_another_error_is_no_refusal_for_the_rate(adapter: Adapter) -> None:
    """The account's other requests go on."""
    budget = Budget()
    async with (
        http_stub() as server,
        closing(adapter.client(server.address, budget=RequestBudget(budget, SWEEP))) as client,
    ):
        for status in ("500 Internal Server Error", "409 Conflict", "400 Bad Request"):
            server.response = (status, b"{}")
            await client.call(call(adapter, "create"), "key")
    assert budget.refusals == []
