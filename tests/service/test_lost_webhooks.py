"""Lost webhooks and lost responses of the provider are recovered."""

import secrets
from collections.abc import Iterator

import httpx
import psycopg
import pytest

from sandbox.client import PaymentsClient, SimulatorControl
from sandbox.environment import TENANT
from sandbox.stories import STORIES
from schemas import identity
from tests.service import evidence
from tests.service.load import Load
from tests.service.stack import QUICK, Stack, running_service
from tests.support.waiting import until

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
LOOKED_UP = "select count(*) from provider_calls where key_generation > 0 or attempts > 1"
OLD_KEY = """
    select 1 from provider_calls
    where payment_id = %s and clock_timestamp() - key_first_used_at > interval '1 second'"""


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


async def test_an_object_with_a_copied_id_is_never_a_payments(short_lived_keys: Stack) -> None:
    """Somebody's payment intent has our payment ID; our own call was lost, and its key is old."""
    stack, key = short_lived_keys, secrets.token_hex(16)
    payment_id = identity.payment_id(TENANT, key)
    terms = {"amount": 1000, "currency": "EUR", "payment_method": "pm_card_visa"}
    async with (
        SimulatorControl(stack.simulator_url) as simulator,
        PaymentsClient(stack.url, stack.api_key) as client,
        httpx.AsyncClient(base_url=stack.simulator_url) as stripe_api,
    ):
        await simulator.faults()
        response = await stripe_api.post(
            "/v1/payment_intents",
            headers={"Authorization": f"Bearer {stack.environment['PAYMENTS_STRIPE_API_KEY']}"},
            data={
                "amount": "1000",
                "currency": "eur",
                "payment_method": "pm_card_visa",
                "allowed_payment_method_types[]": "card",
                "confirm": "true",
                "metadata[payment_id]": payment_id,
            },
        )
        forged = response.raise_for_status().json()["id"]
        await simulator.faults(reset_before=1.0)
        assert await client.create(terms, key) == payment_id
        await until(lambda: _has_old_key(stack, payment_id), within_s=30)
        await simulator.faults()
        payment = await client.wait_for(payment_id, lambda p: bool(p["status"] == "SUCCEEDED"))
        objects = (await simulator.get("/objects"))["payment_intents"]
    ours = [each["id"] for each in objects if each["metadata"].get("payment_id") == payment_id]
    assert len(ours) == 2, "ours and the forged one"
    assert forged in ours
    assert payment["provider_object_id"] in set(ours) - {forged}


async def _has_old_key(stack: Stack, payment_id: str) -> bool:
    """Whether the create call was tried so long ago that its outcome is looked up now."""
    url = stack.infrastructure.database_url
    async with await psycopg.AsyncConnection.connect(url) as connection:
        return await (await connection.execute(OLD_KEY, [payment_id])).fetchone() is not None
