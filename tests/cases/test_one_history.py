"""One history at Stripe gives the same payment through an endpoint of any API version."""

import json
from typing import Any

import pytest

from domain.call_key import CallKey, Operation
from domain.inputs import CallResult, Command, Fact, Foreign, Unmodelled
from domain.view import Snapshot, snapshot
from ports.provider import Acknowledged
from providers.stripe.client import StripeApi
from schemas import identity
from tests.domain.histories.builders import CURRENCY, PAYMENT, capture, create, received, refund
from tests.domain.histories.replay import Replay
from tests.providers.stripe.builders import api_of, call, over_http, translator
from tests.providers.stripe.test_versions import VERSIONS
from tests.simulator.harness import Simulator, running

pytestmark = [pytest.mark.anyio, over_http]

REFUND = identity.refund_id(PAYMENT, "refund-1")


async def _made(api: StripeApi, operation: str, **changes: Any) -> str:
    """Makes a call of this payment; returns the object's ID."""
    provider_call = call(operation, **{"payment_id": PAYMENT, "currency": CURRENCY, **changes})
    outcome = await api.call(provider_call, provider_call.key)
    assert isinstance(outcome, Acknowledged), outcome
    return outcome.object_id


def _seen(provider: Simulator, version: str) -> list[Fact]:
    """The facts that an endpoint of this version gets, the last of them the refund's."""

    def complete(items: list[Any]) -> bool:
        kinds = [i.event["type"] for i in items if i.event["api_version"] == version]
        return {"charge.refunded", "payment_intent.succeeded"} <= set(kinds) and (
            version < "2024-10-28" or "refund.created" in kinds
        )

    bodies = {
        item.event["id"]: item.body
        for item in provider.receiver.wait(complete)
        if item.event["api_version"] == version
    }
    facts = [translator().translate(body).fact for body in bodies.values()]
    assert not any(
        isinstance(f, Unmodelled) and (f.unread_version or f.unknown_status) for f in facts
    )
    return [fact for fact in facts if not isinstance(fact, Unmodelled | Foreign)]


async def test_one_history_is_the_same_payment_in_every_version() -> None:
    """A part is captured by us, and a part of it given back by us."""
    with running() as simulator:
        async with api_of(simulator.base_url) as api:
            await _same_in_every_version(api, simulator)


async def _same_in_every_version(api: StripeApi, provider: Simulator) -> None:
    (preset,) = provider.client.v1.webhook_endpoints.list().data
    for version in VERSIONS:
        params: Any = {"url": preset.url, "enabled_events": ["*"], "api_version": version}
        provider.client.v1.webhook_endpoints.create(params)
    made = await _made(api, "create", key=f"{PAYMENT}:create", amount=1000, capture_method="manual")
    await _made(api, "capture", key=f"{PAYMENT}:capture:1", object_id=made, amount=700)
    key = str(CallKey.refund(PAYMENT, REFUND))
    ours = await _made(api, "refund", key=key, object_id=made, amount=300, refund_id=REFUND)
    before: list[Command | CallResult] = [
        create(amount=1000, capture_method="manual"),
        CallResult(f"{PAYMENT}:create", Operation.CREATE, made, None),
    ]
    after: list[Command | CallResult] = [
        refund(REFUND, 300),
        CallResult(key, Operation.REFUND, ours, None),
    ]
    seen: dict[str, Snapshot] = {}
    for version in VERSIONS:
        replay = Replay(received(body) for body in before)
        facts = _seen(provider, version)
        held = [f for f in facts if getattr(f, "status", None) == "authorized"]
        for fact in held:
            replay.deliver(received(fact))
        replay.deliver(received(capture(700)))
        for body in [*(f for f in facts if f not in held), *after]:
            replay.deliver(received(body))
        found = snapshot(replay.existing)
        published = json.loads(json.dumps(found.refunds, default=str))
        assert len(published) == 1, (version, found.refunds)
        assert (found.amounts.captured, found.amounts.refunded) == (700, 300), version
        seen[version] = found
    refunds = {tuple((r.id, r.status, r.amount) for r in each.refunds) for each in seen.values()}
    assert len(refunds) == 1
    assert (
        len({(each.status, each.amounts, each.provider_object_id) for each in seen.values()}) == 1
    )
