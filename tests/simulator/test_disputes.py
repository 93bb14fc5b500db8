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


def test_money_moves_on_the_accounts_balance(simulator: Simulator) -> None:
    """10000 JPY of a balance in USD are 6680 cents; a correction is neither out nor back."""
    paid = simulator.pay(currency="jpy", amount=10_000)
    settled = {"settlement": {"currency": "usd", "rate": 0.668}}
    opened = simulator.control(f"payment_intents/{paid.id}/dispute", settled)
    path = f"disputes/{opened['id']}"
    simulator.control(f"{path}/adjust", {"amount": -20})
    won = simulator.control(f"{path}/close", {"status": "won"})
    assert (won["currency"], won["amount"]) == ("jpy", 10_000)
    assert [
        (moved["amount"], moved["currency"], moved["reporting_category"])
        for moved in won["balance_transactions"]
    ] == [
        (-6680, "usd", "dispute"),
        (-20, "usd", "other_adjustment"),
        (6700, "usd", "dispute_reversal"),
    ]


def test_a_dispute_may_be_in_another_currency(simulator: Simulator) -> None:
    """Its money then moves in that currency."""
    paid = simulator.pay()
    other = {"amount": 1089, "currency": "usd"}
    opened = simulator.control(f"payment_intents/{paid.id}/dispute", other)
    (moved,) = opened["balance_transactions"]
    assert (opened["currency"], moved["currency"], moved["amount"]) == ("usd", "usd", -1089)


def test_a_closed_inquiry_can_become_a_chargeback(simulator: Simulator) -> None:
    """Then its money is withdrawn, and there is a new deadline."""
    paid = simulator.pay()
    inquiry = {"status": "warning_needs_response"}
    opened = simulator.control(f"payment_intents/{paid.id}/dispute", inquiry)
    path = f"disputes/{opened['id']}"
    simulator.control(f"{path}/close", {"status": "warning_closed"})
    simulator.control("clock", {"advance_seconds": 60})
    charged_back = simulator.control(f"{path}/update", {"status": "needs_response"})
    assert [moved["amount"] for moved in charged_back["balance_transactions"]] == [-1000]
    assert charged_back["evidence_details"]["due_by"] > opened["evidence_details"]["due_by"]
    assert charged_back["payment_method_details"]["card"]["case_type"] == "chargeback"
    simulator.receiver.wait_for_types("charge.dispute.closed", "charge.dispute.funds_withdrawn")


def test_a_lost_dispute_can_be_appealed(simulator: Simulator) -> None:
    """The appeal has a deadline of its own and moves no money."""
    paid = simulator.pay()
    opened = simulator.control(f"payment_intents/{paid.id}/dispute")
    path = f"disputes/{opened['id']}"
    simulator.control(f"{path}/close", {"status": "lost"})
    simulator.control("clock", {"advance_seconds": 60})
    appealed = simulator.control(f"{path}/update", {"status": "appeal_needs_response"})
    assert appealed["evidence_details"]["due_by"] > opened["evidence_details"]["due_by"]
    assert appealed["balance_transactions"] == opened["balance_transactions"]


@pytest.mark.parametrize("ended_by", ["refund", "dispute"])
def test_a_fraud_warning_is_actionable_until_it_is_too_late(
    simulator: Simulator, ended_by: str
) -> None:
    """A full refund or a dispute leaves nothing to do; a partial refund leaves something."""
    paid = simulator.pay("pm_card_createIssuerFraudRecord", metadata={"payment_id": "p1"})
    simulator.control("clock", {"advance_seconds": 1})
    simulator.receiver.wait_for_types("radar.early_fraud_warning.created")
    api = simulator.client.v1.radar.early_fraud_warnings
    simulator.client.v1.refunds.create({"payment_intent": paid.id, "amount": 1})
    (warning,) = api.list({"payment_intent": paid.id}).data
    assert (warning.actionable, warning.charge) == (True, paid.latest_charge)
    simulator.control(f"payment_intents/{paid.id}/{ended_by}")
    simulator.receiver.wait_for_types("radar.early_fraud_warning.updated")
    assert api.retrieve(warning.id).actionable is False


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
