"""Webhook endpoints, signatures, retries and restarts."""

from pathlib import Path

import pytest
import stripe

from tests.simulator.harness import Received, Receiver, Simulator, running, serving

DAY_S = 86_400


def test_endpoints_are_created_updated_and_deleted(simulator: Simulator) -> None:
    """Only the response to the creation has the secret."""
    endpoints = simulator.client.v1.webhook_endpoints
    created = endpoints.create(
        {"url": "http://127.0.0.1:9/hook", "enabled_events": ["charge.succeeded"]}
    )
    assert (created.secret or "").startswith("whsec_")
    assert "secret" not in endpoints.retrieve(created.id).to_dict()
    assert all("secret" not in item.to_dict() for item in endpoints.list().data)
    updated = endpoints.update(created.id, {"disabled": True, "url": "http://127.0.0.1:9/other"})
    assert (updated.status, updated.url) == ("disabled", "http://127.0.0.1:9/other")
    assert endpoints.delete(created.id).deleted
    with pytest.raises(stripe.InvalidRequestError):
        endpoints.retrieve(created.id)


def test_each_endpoint_signs_with_its_own_secret(simulator: Simulator) -> None:
    """An endpoint gets the events it listens to, signed with its secret."""
    (preset,) = simulator.client.v1.webhook_endpoints.list().data
    own = simulator.client.v1.webhook_endpoints.create(
        {"url": preset.url, "enabled_events": ["charge.succeeded"]}
    )
    simulator.pay()
    received = simulator.receiver.wait(
        lambda items: len({i.genuine for i in items if i.event["type"] == "charge.succeeded"}) == 2
    )
    charged = [item for item in received if item.event["type"] == "charge.succeeded"]
    assert sum(item.genuine for item in charged) == 1
    foreign = next(item for item in charged if not item.genuine)  # refused, so it may come again
    stripe.WebhookSignature.verify_header(foreign.body, foreign.signature, own.secret, 300)
    simulator.client.v1.webhook_endpoints.delete(own.id)


def test_a_refused_webhook_comes_again(simulator: Simulator) -> None:
    """A webhook is sent again, with the same bytes, until it gets a 2xx status."""
    refused: set[str] = set()

    def refuse_twice(item: Received) -> int:
        before = f"{item.event['id']} 1" if item.event["id"] in refused else item.event["id"]
        if before in refused:
            return 200
        refused.add(before)
        return 503

    simulator.receiver.status = refuse_twice
    try:
        simulator.pay()
        received = simulator.receiver.wait(lambda items: len(items) >= 9)
        simulator.settle()
    finally:
        simulator.receiver.status = 200
    bodies = [item.body for item in received]
    assert all(bodies.count(body) == 3 for body in bodies)


def test_a_delivery_is_given_up_after_three_days() -> None:
    """After three days on the simulator's clock its delivery ends; the event stays listed."""
    receiver = Receiver(status=500)
    with running(receiver, retry_max_delay_s=0.05) as simulator:
        simulator.pay()
        receiver.wait(lambda received: len(received) >= 3)
        simulator.control("clock", {"advance_seconds": 3 * DAY_S + 1})
        simulator.settle()
        assert simulator.read("stats")["counts"]["deliveries.given_up"] == 3
        assert len(simulator.client.v1.events.list({"delivery_success": False}).data) == 3
        receiver.status = 200
        event_id = simulator.client.v1.events.list().data[0].id
        simulator.control(f"events/{event_id}/resend")
        simulator.settle()
        assert simulator.client.v1.events.retrieve(event_id).pending_webhooks == 0


def test_a_restart_loses_nothing(tmp_path: Path) -> None:
    """Objects, events, keys, the clock and pending webhooks survive the process."""
    receiver = Receiver(status=503)
    key: stripe.RequestOptions = {"idempotency_key": "key-1"}
    with running(receiver, state_dir=tmp_path) as first:
        paid = first.pay(options=key)
        held = first.pay(capture_method="manual")
        first.control("clock", {"advance_seconds": DAY_S / 2})
        (endpoint,) = first.client.v1.webhook_endpoints.list().data
        before = first.read("objects")
    receiver.status = 200
    count = len(receiver.received)
    with running(receiver, state_dir=tmp_path) as second:
        assert second.read("objects") == before
        assert second.pay(options=key).id == paid.id
        second.settle()
        received = receiver.wait(lambda items: len(items) >= count + 6)
        assert len({item.event["id"] for item in received[count:]}) == 6
        (moved,) = second.client.v1.webhook_endpoints.list().data
        assert (moved.id, moved.url != endpoint.url) == (endpoint.id, True)
        second.control("clock", {"advance_seconds": DAY_S / 2 + 1})
        assert second.pay(options=key).id != paid.id
        second.control("clock", {"advance_seconds": 6 * DAY_S})
        assert second.client.v1.payment_intents.retrieve(held.id).status == "canceled"


def test_without_an_endpoint_no_delivery_is_pending() -> None:
    """A simulator without endpoints lists events and delivers none."""
    with serving(Receiver()) as simulator:
        simulator.pay()
        events = simulator.client.v1.events.list({"delivery_success": True}).data
        assert [event.pending_webhooks for event in events] == [0, 0, 0]
