"""Disputes: opened, updated, lost and won."""

import pytest
import stripe

from tests.simulator.harness import Simulator


def test_a_chargeback_takes_the_money_at_once(simulator: Simulator) -> None:
    """pm_card_createDispute pays, then opens a dispute that withdraws the funds."""
    paid = simulator.pay("pm_card_createDispute", metadata={"payment_id": "p1"})
    simulator.receiver.wait_for_types("charge.dispute.created", "charge.dispute.funds_withdrawn")
    (dispute,) = simulator.client.v1.disputes.list({"payment_intent": paid.id}).data
    assert (dispute.status, dispute.amount, dispute.charge) == (
        "needs_response",
        1000,
        paid.latest_charge,
    )
    assert dispute.metadata.to_dict() == {}
    assert [movement.amount for movement in dispute.balance_transactions] == [-1000]
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        simulator.client.v1.refunds.create({"payment_intent": paid.id})
    assert refusal.value.code == "charge_disputed"


def test_an_inquiry_takes_nothing(simulator: Simulator) -> None:
    """An inquiry warns, moves no money and leaves the charge refundable."""
    paid = simulator.pay("pm_card_createDisputeInquiry")
    simulator.receiver.wait_for_types("charge.dispute.created")
    (dispute,) = simulator.client.v1.disputes.list({"payment_intent": paid.id}).data
    assert (dispute.status, dispute.is_charge_refundable) == ("warning_needs_response", True)
    assert list(dispute.balance_transactions) == []
    assert simulator.client.v1.refunds.create({"payment_intent": paid.id}).status == "succeeded"
    closed = simulator.control(f"disputes/{dispute.id}/close", {"status": "warning_closed"})
    assert closed["status"] == "warning_closed"
    assert "charge.dispute.funds_withdrawn" not in simulator.receiver.types()


def test_a_lost_dispute_can_be_won_later(simulator: Simulator) -> None:
    """Winning a lost dispute reinstates the funds."""
    paid = simulator.pay()
    opened = simulator.control(f"payment_intents/{paid.id}/dispute", {"amount": 600})
    path = f"disputes/{opened['id']}"
    assert simulator.control(f"{path}/update", {"status": "under_review"})["amount"] == 600
    assert simulator.control(f"{path}/close", {"status": "lost"})["status"] == "lost"
    assert simulator.control(f"{path}/close", {"status": "won"})["status"] == "won"
    simulator.receiver.wait_for_types(
        "charge.dispute.created",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.updated",
        "charge.dispute.closed",
        "charge.dispute.closed",
        "charge.dispute.funds_reinstated",
    )
    dispute = simulator.client.v1.disputes.retrieve(opened["id"])
    assert sum(movement.amount for movement in dispute.balance_transactions) == 0


def test_funds_move_without_a_decision(simulator: Simulator) -> None:
    """Withdrawing and reinstating do not change the dispute's status."""
    paid = simulator.pay()
    opened = simulator.control(f"payment_intents/{paid.id}/dispute")
    path = f"disputes/{opened['id']}"
    assert simulator.control(f"{path}/reinstate")["status"] == "needs_response"
    assert simulator.control(f"{path}/withdraw")["status"] == "needs_response"
    simulator.receiver.wait_for_types(
        "charge.dispute.funds_reinstated", "charge.dispute.funds_withdrawn"
    )


@pytest.mark.parametrize("status", ["open", None])
def test_a_wrong_status_is_named(simulator: Simulator, status: str | None) -> None:
    """A control request with a wrong field is a 422 that names it."""
    response = simulator.http.post("/_control/disputes/du_x/close", json={"status": status})
    assert response.status_code == 422
    assert response.json()["error"]["problems"][0]["field"] == "status"


def test_an_uncaptured_payment_is_not_disputed(simulator: Simulator) -> None:
    """An authorization can't be disputed."""
    held = simulator.pay(capture_method="manual")
    response = simulator.http.post(f"/_control/payment_intents/{held.id}/dispute", json={})
    assert response.status_code == 400
