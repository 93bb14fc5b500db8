"""What a customer has to do, with a page and without one, and where a client secret stands.

Sources: https://docs.stripe.com/api/payment_intents/object#payment_intent_object-next_action and
https://docs.stripe.com/payments/3d-secure/authentication-flow
"""

import json
from pathlib import Path
from typing import Final

import httpx
import pytest

from messaging.log_reader import records
from sandbox.client import Json
from schemas.topics import TOPICS
from tests.cases.stripe_events import event, intent
from tests.cases.world import BODY, World

pytestmark = pytest.mark.anyio

AUTHENTICATION: Final = {**BODY, "payment_method": "pm_card_authenticationRequired"}
TABLES: Final = """
    select quote_ident(schemaname) || '.' || quote_ident(tablename) from pg_tables
    where schemaname not in ('pg_catalog', 'information_schema')"""


async def _waiting(world: World, **body: str) -> Json:
    payment_id = await world.client.create({**AUTHENTICATION, **body})
    await world.settled()
    return await world.when(payment_id, lambda p: p["status"] == "REQUIRES_ACTION")


async def _secret(world: World, payment_id: str, key: str | None = None) -> httpx.Response:
    headers = {"Authorization": f"Bearer {key or world.stack.api_key}"}
    return await world.http.get(f"/v1/payments/{payment_id}/client-secret", headers=headers)


async def test_without_a_return_url_the_action_is_the_sdks(world: World) -> None:
    """Stripe then answers ``use_stripe_sdk``: there is no page to redirect to."""
    waiting = await _waiting(world)
    assert waiting["next_action"] == {"type": "provider_sdk", "url": None}


@pytest.mark.parametrize("back", ["https://shop.example/back", "myshop://stripe-redirect"])
async def test_with_a_return_url_the_customer_is_sent_to_a_page(world: World, back: str) -> None:
    """Also if it is a mobile app's own scheme."""
    action = (await _waiting(world, return_url=back))["next_action"]
    assert action["type"] == "redirect"
    assert action["url"].startswith("http")


async def test_an_action_that_only_the_sdk_knows_replaces_the_page(world: World) -> None:
    """A redirect without a URL is never published."""
    waiting = await _waiting(world, return_url="https://shop.example/back")
    action = {"type": "use_stripe_sdk", "use_stripe_sdk": {"type": "stripe_3ds2_fingerprint"}}
    about = intent(waiting, "requires_action", next_action=action)
    event_id = await world.send(event("payment_intent.requires_action", about, at_s=5))
    await world.entry(waiting["id"], event_id)
    assert (await world.client.get(f"/v1/payments/{waiting['id']}"))["next_action"][
        "type"
    ] == "provider_sdk"


async def test_the_client_secret_is_served_and_stands_nowhere(world: World) -> None:
    """Its owner reads it, uncached; no topic, table or log has it."""
    waiting = await _waiting(world)
    response = await _secret(world, waiting["id"])
    assert response.status_code == httpx.codes.OK
    assert response.headers["cache-control"] == "no-store"
    secret = response.json()["client_secret"]
    made = await world.stripe("GET", f"/v1/payment_intents/{waiting['provider_object_id']}")
    assert secret == made["client_secret"]

    bootstrap = world.stack.infrastructure.kafka_bootstrap
    for topic in TOPICS:
        async for record in records(bootstrap, topic.name):
            assert secret.encode() not in (record.value or b""), topic.name
    for (table,) in await world.rows(TABLES):
        found = await world.rows(
            f"select count(*) from {table} t where t::text like %s or t::text like %s",  # noqa: S608  # Postgres' own names
            f"%{secret}%",
            f"%{secret.encode().hex()}%",  # bytes are shown in hexadecimal
        )
        assert found == [(0,)], table
    for log in _logs(world):
        assert secret not in log.read_text(errors="replace"), log
    timeline = await world.client.timeline(waiting["id"])
    assert secret not in json.dumps(timeline)


def _logs(world: World) -> list[Path]:
    found = sorted(world.stack.logs.glob("*.log"))
    assert found
    return found


async def test_nobody_else_gets_it_and_not_later(world: World) -> None:
    """Not without a key, not for another payment, and not once the payment is over."""
    waiting = await _waiting(world)
    assert (await _secret(world, waiting["id"], "no-such-key")).status_code == 401
    await world.simulator.post(
        f"/payment_intents/{waiting['provider_object_id']}/complete_action",
        {"outcome": "succeed"},
    )
    await world.when(waiting["id"], lambda p: p["status"] == "SUCCEEDED")
    response = await _secret(world, waiting["id"])
    assert (response.status_code, response.json()["type"]) == (404, "/problems/no-client-secret")
