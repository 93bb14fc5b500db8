"""Refunds: settled at once, settled later, failed after success."""

import pytest
import stripe

from tests.simulator.harness import Simulator


def test_refund_in_parts_until_nothing_is_left(simulator: Simulator) -> None:
    """Partial refunds add up on the charge; one above the remainder is refused."""
    paid = simulator.pay()
    refunds = simulator.client.v1.refunds
    first = refunds.create(
        {"payment_intent": paid.id, "amount": 400, "reason": "requested_by_customer"}
    )
    assert (first.status, first.amount, first.charge) == ("succeeded", 400, paid.latest_charge)
    simulator.receiver.wait_for_types("refund.created", "charge.refunded")
    charge = simulator.client.v1.charges.retrieve(str(paid.latest_charge))
    assert (charge.amount_refunded, charge.refunded) == (400, False)
    rest = refunds.create({"charge": str(paid.latest_charge)})
    assert rest.amount == 600
    charge = simulator.client.v1.charges.retrieve(str(paid.latest_charge))
    assert (charge.amount_refunded, charge.refunded) == (1000, True)
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        refunds.create({"payment_intent": paid.id})
    assert refusal.value.code == "charge_already_refunded"
    listed = refunds.list({"payment_intent": paid.id})
    assert [refund.id for refund in listed.data] == [rest.id, first.id]
    assert len(refunds.list({"charge": str(paid.latest_charge)}).data) == 2


def test_too_much_is_refused(simulator: Simulator) -> None:
    """No more than the charge's remainder can be refunded."""
    paid = simulator.pay()
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        simulator.client.v1.refunds.create({"payment_intent": paid.id, "amount": 1001})
    assert (refusal.value.code, refusal.value.param) == ("amount_too_large", "amount")


def test_only_captured_charges_are_refunded(simulator: Simulator) -> None:
    """An authorization is canceled, not refunded, and an unpaid intent has nothing to refund."""
    held = simulator.pay(capture_method="manual")
    with pytest.raises(stripe.InvalidRequestError, match="uncaptured"):
        simulator.client.v1.refunds.create({"payment_intent": held.id})
    unpaid = simulator.client.v1.payment_intents.create({"amount": 500, "currency": "eur"})
    with pytest.raises(stripe.InvalidRequestError, match="does not have a successful charge"):
        simulator.client.v1.refunds.create({"payment_intent": unpaid.id})


def test_a_pending_refund_succeeds_later(simulator: Simulator) -> None:
    """With pm_card_pendingRefund a refund is pending and succeeds later."""
    paid = simulator.pay("pm_card_pendingRefund")
    refund = simulator.client.v1.refunds.create({"payment_intent": paid.id})
    assert (refund.status, refund.pending_reason) == ("pending", "processing")
    received = simulator.receiver.wait_for_types("refund.updated", "charge.refund.updated")
    updated = next(item.event for item in received if item.event["type"] == "refund.updated")
    assert updated["data"]["object"]["status"] == "succeeded"
    assert updated["data"]["previous_attributes"]["status"] == "pending"
    assert updated["request"] == {"id": None, "idempotency_key": None}


def test_a_refund_fails_after_it_succeeded(simulator: Simulator) -> None:
    """With pm_card_refundFail a refund succeeds, then fails; its amount is refundable again."""
    paid = simulator.pay("pm_card_refundFail")
    refund = simulator.client.v1.refunds.create({"payment_intent": paid.id})
    assert refund.status == "succeeded"
    simulator.receiver.wait_for_types("refund.failed", "refund.updated", "charge.refund.updated")
    failed = simulator.client.v1.refunds.retrieve(refund.id)
    assert (failed.status, failed.failure_reason) == ("failed", "expired_or_canceled_card")
    charge = simulator.client.v1.charges.retrieve(str(paid.latest_charge))
    assert (charge.amount_refunded, charge.refunded) == (0, False)


def test_a_refund_that_waits_for_the_customer_is_canceled(simulator: Simulator) -> None:
    """Only a refund that requires action can be canceled through the API."""
    paid = simulator.pay()
    refund = simulator.client.v1.refunds.create({"payment_intent": paid.id})
    with pytest.raises(stripe.InvalidRequestError, match="requires_action"):
        simulator.client.v1.refunds.cancel(refund.id)
    simulator.control(f"refunds/{refund.id}/settle", {"status": "requires_action"})
    assert simulator.client.v1.refunds.cancel(refund.id).status == "canceled"
    charge = simulator.client.v1.charges.retrieve(str(paid.latest_charge))
    assert charge.amount_refunded == 0


def test_a_refund_carries_only_its_own_metadata(simulator: Simulator) -> None:
    """The payment's metadata isn't copied."""
    paid = simulator.pay(metadata={"payment_id": "p1"})
    through_api = simulator.client.v1.refunds.create(
        {"payment_intent": paid.id, "amount": 100, "metadata": {"refund_id": "r1"}}
    )
    in_dashboard = simulator.control(f"payment_intents/{paid.id}/refund", {"amount": 100})
    assert through_api.metadata is not None
    assert through_api.metadata.to_dict() == {"refund_id": "r1"}
    assert in_dashboard["metadata"] == {}
    changed = simulator.client.v1.refunds.update(through_api.id, {"metadata": {"note": "x"}})
    assert changed.metadata is not None
    assert changed.metadata.to_dict() == {"refund_id": "r1", "note": "x"}
