"""Lost webhooks and lost responses of the provider are recovered."""

from collections.abc import Iterator

import psycopg
import pytest

from sandbox.client import SimulatorControl
from sandbox.stories import STORIES
from tests.service import evidence
from tests.service.load import Load
from tests.service.stack import QUICK, Stack, running_service

pytestmark = pytest.mark.anyio

SEED = 20_260_201
SIZE = 60

#: So short that most unknown results are looked up after the provider's keys have expired.
SHORT_LIVED_KEYS = QUICK | {
    "PAYMENTS_STRIPE_TIMEOUT_S": "0.5",
    "PAYMENTS_CALL_KEY_LIFETIME_S": "0.2",
    "PAYMENTS_SIMULATOR_IDEMPOTENCY_KEY_AGE_S": "0.5",
}
#: The provider executes calls, but its responses are lost.
LOST_RESPONSES = {
    "timeout_after": 0.25,
    "timeout_hold_s": 1.0,
    "reset_after": 0.25,
    "error_500_after": 0.15,
}
UNKNOWN = "select count(*) from provider_calls where attempts > 1 and state = 'done'"
LOOKED_UP = "select count(*) from provider_calls where key_generation > 0 or last_error is not null"


async def _run_load_and_check(stack: Stack, seed: int, **faults: object) -> None:
    async with SimulatorControl(stack.simulator_url) as simulator:
        await simulator.faults(**faults)
    load = Load(stack, SIZE, seed)
    await load.run()
    found = await evidence.at_rest(stack)
    evidence.check(found)
    await evidence.agrees_with_oracle(stack, found)
    await evidence.agrees_with_provider(stack, found)
    assert set(load.stories.values()) == STORIES.keys(), "the seed left a story out"


async def test_undelivered_webhooks_change_no_end_state(stack: Stack) -> None:
    """Undelivered events are read from the provider's list, and the payments end correctly."""
    before = stack.metric("worker", "payments_reconciled_events_total")
    await _run_load_and_check(stack, SEED, drop=0.3)
    async with SimulatorControl(stack.simulator_url) as simulator:
        stats = await simulator.get("/stats")
    assert stats["faults"]["drop"] > SIZE / 3, stats
    assert stack.metric("worker", "payments_reconciled_events_total") > before


@pytest.fixture(scope="module")
def short_lived_keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A service whose provider's idempotency keys expire within half a second."""
    with running_service(
        tmp_path_factory.mktemp("short_lived_keys"), quick=SHORT_LIVED_KEYS
    ) as running:
        yield running


async def test_a_lost_response_makes_exactly_one_object(short_lived_keys: Stack) -> None:
    """This holds for every kind of call, also after its key has expired."""
    await _run_load_and_check(short_lived_keys, SEED + 1, **LOST_RESPONSES)
    async with SimulatorControl(short_lived_keys.simulator_url) as simulator:
        stats = await simulator.get("/stats")
    assert all(stats["faults"][name] for name in ("timeout_after", "reset_after")), stats
    with psycopg.connect(short_lived_keys.infrastructure.database_url) as connection:
        ((unknown,),) = connection.execute(UNKNOWN).fetchall()
        ((looked_up,),) = connection.execute(LOOKED_UP).fetchall()
    assert unknown > SIZE / 4
    assert looked_up > SIZE / 4
