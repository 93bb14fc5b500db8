"""Webhooks that come twice, late, out of order, never, or forged."""

from typing import Any

import pytest

from tests.simulator.harness import Simulator

TYPES = ["charge.succeeded", "payment_intent.created", "payment_intent.succeeded"]


def test_a_duplicated_webhook_has_the_same_bytes(simulator: Simulator) -> None:
    """Each webhook comes two to four times, with the same bytes."""
    simulator.set_faults(duplicate=1.0, duplicate_max=3, duplicate_spread_s=[0, 0.1])
    simulator.pay()
    simulator.settle()
    types = simulator.receiver.types()
    assert all(2 <= types.count(name) <= 4 for name in TYPES)
    stats = simulator.read("stats")
    assert stats["faults"] == {"duplicate": len(types) - 3}
    assert stats["counts"]["deliveries.duplicate.attempts"] == len(types) - 3


def test_a_delayed_webhook_comes_later(simulator: Simulator) -> None:
    """A delayed webhook comes after at least the lower bound of its range."""
    simulator.set_faults(delay=1.0, delay_s=[0.3, 0.4])
    simulator.pay()
    assert simulator.receiver.types() == []
    simulator.receiver.wait_for_types(*TYPES)


def test_a_reordered_webhook_comes_after_later_ones(simulator: Simulator) -> None:
    """A reordered webhook comes after later ones of its payment."""
    simulator.set_faults(reorder=1.0, reorder_hold_s=[0.5, 0.6])
    paid = simulator.pay()
    simulator.set_faults()
    simulator.client.v1.refunds.create({"payment_intent": paid.id})
    simulator.receiver.wait_for_types(*TYPES)
    simulator.settle()
    assert simulator.receiver.types()[0] in ("refund.created", "charge.refunded")
    faults = simulator.read("stats")["faults"]
    assert faults == {"reorder": 3, "reorder.overtaken": 3}


def test_a_dropped_webhook_never_comes(simulator: Simulator) -> None:
    """A dropped webhook never comes, but its event is listed as undelivered and can be resent."""
    simulator.set_faults(drop=1.0)
    simulator.pay()
    simulator.set_faults()
    simulator.settle()
    assert simulator.receiver.types() == []
    missing = simulator.client.v1.events.list({"delivery_success": False}).data
    assert sorted(event.type for event in missing) == TYPES
    for event in missing:
        simulator.control(f"events/{event.id}/resend")
    simulator.receiver.wait_for_types(*TYPES)
    simulator.settle()
    assert not simulator.client.v1.events.list({"delivery_success": False}).data


def test_an_event_that_is_not_generated_does_not_exist(simulator: Simulator) -> None:
    """The event doesn't exist; the payment does."""
    simulator.set_faults(generation_failure=1.0)
    paid = simulator.pay()
    assert not simulator.client.v1.events.list().data
    assert simulator.client.v1.payment_intents.retrieve(paid.id).status == "succeeded"
    assert simulator.read("stats")["faults"] == {"generation_failure": 3}


@pytest.mark.parametrize("fault", ["wrong_signature", "altered_body"])
def test_a_forgery_fails_verification(simulator: Simulator, fault: str) -> None:
    """A forgery comes in addition to the genuine webhook, fails verification, and is sent once."""
    simulator.set_faults(**{fault: 1.0})
    simulator.pay()
    simulator.settle()
    received = simulator.receiver.wait(lambda items: len(items) == 6)
    genuine = [item for item in received if item.genuine]
    assert sorted(item.event["type"] for item in genuine) == TYPES
    forged = [item.event for item in received if not item.genuine]
    if fault == "altered_body":
        assert {event["data"]["object"]["amount"] for event in forged} == {1100}
    simulator.eventually(lambda: simulator.read("stats")["counts"].get("forged.refused") == 3)
    assert "forged.accepted" not in simulator.read("stats")["counts"]


def test_an_accepted_forgery_is_counted(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A forgery that gets a 2xx status counts as accepted."""
    monkeypatch.setattr("tests.simulator.harness.Received.genuine", property(lambda _: True))
    simulator.set_faults(wrong_signature=1.0)
    simulator.pay()
    simulator.eventually(lambda: simulator.read("stats")["counts"].get("forged.accepted") == 3)


def _run(simulator: Simulator, order: list[int]) -> Any:
    simulator.settle()
    simulator.control("reset")
    simulator.receiver.received.clear()
    simulator.set_faults(
        duplicate=0.4,
        drop=0.3,
        generation_failure=0.2,
        wrong_signature=0.3,
        duplicate_spread_s=[0, 0],
    )
    for number in order:
        simulator.pay(options={"idempotency_key": f"payment-{number}"})
    simulator.settle()
    received = sorted((item.event["id"], item.genuine) for item in simulator.receiver.received)
    objects = simulator.read("objects")
    return received, sorted(item["id"] for item in objects["payment_intents"])


def test_one_seed_draws_the_same_faults_in_any_order(simulator: Simulator) -> None:
    """The same requests in another order get the same IDs and the same faults."""
    forwards = _run(simulator, list(range(12)))
    backwards = _run(simulator, list(range(11, -1, -1)))
    assert forwards == backwards
