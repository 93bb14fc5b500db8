"""An unforeseen error in an adapter of the background loops stops one record and no other."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import pytest
from msgspec.structs import replace

from ports.records import id_at
from postgres.stores import Pool
from processor.worker.router import Router
from schemas import headers
from schemas.topics import DEAD_LETTERS, PROVIDER_WEBHOOKS
from tests.support import database
from tests.support.builders import Clock, Log
from tests.support.programs.folding import ONE, TWO
from tests.support.programs.routing import Routing, payout, unrouted

pytestmark = pytest.mark.anyio

ERRORS: Final[Sequence[BaseException]] = (
    KeyError("data"),
    TypeError("planted"),
    AssertionError(),
    RecursionError("planted"),
    MemoryError(),
    asyncio.CancelledError(),
)
by_name = pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)


@pytest.fixture
async def routing(pool: Pool, clock: Clock) -> Routing:
    """A router with payment two's object in its store."""
    log = Log()
    await database.process(pool, log.create(TWO), log.result(TWO))
    return Routing(pool, clock)


@by_name
async def test_a_failing_translator_loses_no_webhook(
    routing: Routing, pool: Pool, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A webhook waits until its payment is known; one about no object becomes a dead letter."""

    def fail(_body: bytes) -> Any:
        raise error

    monkeypatch.setattr(routing.router._translators["stripe"], "translate", fail)
    waiting, known = unrouted(ONE, "evt_waiting"), unrouted(TWO, "evt_known")
    no_object = payout("evt_no_object", **{headers.OBJECT_ID: ""})
    await routing.router.route([waiting, no_object, known])
    assert [topic for topic, *_ in routing.sent()] == [PROVIDER_WEBHOOKS, DEAD_LETTERS]
    # unread, it leaves its event's ID to another rendering that may be read
    kept = id_at("evt_waiting", waiting.position)
    assert await database.rows(pool, "select event_id from unrouted") == [(kept,)]


@by_name
async def test_a_webhook_on_which_the_store_fails_is_a_dead_letter(
    routing: Routing, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other webhooks of its batch are routed to their payments."""
    store: Any = routing.router._store
    real = store.owners

    async def owners(objects: Sequence[tuple[str, str]]) -> Any:
        if ("stripe", "pi_poison") in objects:
            raise error
        return await real(objects)

    monkeypatch.setattr(store, "owners", owners)
    poison = unrouted(ONE, "evt_poison")
    poison = replace(poison, headers={**poison.headers, headers.OBJECT_ID: "pi_poison"})
    await routing.router.route([poison, unrouted(TWO, "evt_known")])
    sent = routing.sent()
    assert sorted(topic for topic, *_ in sent) == sorted([DEAD_LETTERS, PROVIDER_WEBHOOKS])
    (why,) = [named[headers.ERROR] for topic, _, named in sent if topic == DEAD_LETTERS]
    assert why.startswith("our own code failed: ")
    assert isinstance(routing.router, Router)
