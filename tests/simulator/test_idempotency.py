"""Idempotency keys behave as at Stripe."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import stripe

from tests.simulator.harness import Simulator

DAY_S = 86_400
KEY: stripe.RequestOptions = {"idempotency_key": "key-1"}


def _count(simulator: Simulator, kind: str) -> int:
    return len(simulator.read("objects")[kind])


def test_the_same_request_gets_the_same_response(simulator: Simulator) -> None:
    """A repeated request executes nothing and gets the first response, marked as replayed."""
    form = {"amount": "1000", "currency": "eur"}
    headers = {"authorization": "Bearer sk_test_of_the_tests", "idempotency-key": "key-1"}
    first, second = (
        simulator.http.post("/v1/payment_intents", data=form, headers=headers) for _ in range(2)
    )
    assert first.content == second.content
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"
    assert second.headers["original-request"] == first.headers["request-id"]
    assert second.headers["request-id"] != first.headers["request-id"]
    assert _count(simulator, "payment_intents") == 1


def test_a_decline_is_stored_under_the_key(simulator: Simulator) -> None:
    """The response is stored, so a retry charges nothing."""
    for _ in range(2):
        with pytest.raises(stripe.CardError):
            simulator.pay("pm_card_chargeDeclined", options=KEY)
    assert _count(simulator, "charges") == 1


def test_other_parameters_are_refused(simulator: Simulator) -> None:
    """A key belongs to its parameters and its path."""
    paid = simulator.pay(options=KEY)
    with pytest.raises(stripe.IdempotencyError, match="same parameters"):
        simulator.pay(amount=2000, options=KEY)
    with pytest.raises(stripe.IdempotencyError, match="same endpoint"):
        simulator.client.v1.payment_intents.cancel(paid.id, options=KEY)
    assert _count(simulator, "payment_intents") == 1


def test_a_validation_error_is_not_stored(simulator: Simulator) -> None:
    """A request refused before execution leaves its key free."""
    with pytest.raises(stripe.InvalidRequestError):
        simulator.pay(amount=0, options=KEY)
    assert simulator.pay(options=KEY).status == "succeeded"


def test_a_state_error_is_stored(simulator: Simulator) -> None:
    """A refusal by the object's state is an execution, so its response is stored."""
    held = simulator.pay(capture_method="manual")
    intents = simulator.client.v1.payment_intents
    intents.capture(held.id)
    responses = []
    for _ in range(2):
        with pytest.raises(stripe.InvalidRequestError) as refusal:
            intents.capture(held.id, options=KEY)
        responses.append(
            (refusal.value.code, (refusal.value.headers or {}).get("idempotent-replayed"))
        )
    code = "payment_intent_unexpected_state"
    assert responses == [(code, None), (code, "true")]


def test_a_key_in_use_is_a_409(simulator: Simulator) -> None:
    """Of many concurrent requests with one key, one executes; others get a 409 or a replay."""
    simulator.set_faults(slow=1.0, slow_s=[0.4, 0.4])
    begin = threading.Barrier(8)

    def pay(_: int) -> str:
        begin.wait()
        try:
            return str(simulator.pay(options=KEY).status)
        except stripe.APIError as refusal:
            body: Any = refusal.json_body
            return f"{refusal.http_status} {body['error']['code']}"

    with ThreadPoolExecutor(8) as pool:
        responses = list(pool.map(pay, range(8)))
    assert "succeeded" in responses
    assert set(responses) == {"succeeded", "409 idempotency_key_in_use"}
    assert _count(simulator, "payment_intents") == 1


def test_after_a_day_the_key_is_new(simulator: Simulator) -> None:
    """A key expires 24 hours after its first use; then it creates a second object."""
    first = simulator.pay(options=KEY)
    simulator.control("clock", {"advance_seconds": DAY_S - 10})
    assert simulator.pay(options=KEY).id == first.id
    simulator.control("clock", {"advance_seconds": 20})
    assert simulator.pay(options=KEY).id != first.id
    executions = simulator.read("executions?idempotency_key=key-1")["executions"]
    assert [item["generation"] for item in executions] == [1, 2]


def test_a_key_has_at_most_255_characters(simulator: Simulator) -> None:
    """A key of 255 characters is accepted, one of 256 is refused."""
    assert simulator.pay(options={"idempotency_key": "k" * 255}).status == "succeeded"
    with pytest.raises(stripe.IdempotencyError, match="255"):
        simulator.pay(options={"idempotency_key": "k" * 256})


def test_executions_name_what_each_operation_made(simulator: Simulator) -> None:
    """Each execution has its key, its metadata, and the objects that it created."""
    paid = simulator.pay(metadata={"payment_id": "p1"}, options=KEY)
    simulator.pay(metadata={"payment_id": "p1"}, options=KEY)
    (execution,) = simulator.read("executions")["executions"]
    assert execution["operation"] == "payment_intent.create"
    assert (execution["idempotency_key"], execution["status"]) == ("key-1", 200)
    assert execution["metadata"] == {"payment_id": "p1"}
    assert {paid.id, paid.latest_charge} <= set(execution["objects"])
