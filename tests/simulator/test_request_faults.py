"""API calls that fail before or after their execution."""

import time
from typing import Any

import httpx
import pytest
import stripe

from tests.simulator.harness import Simulator

KEY: stripe.RequestOptions = {"idempotency_key": "key-1"}


def _charges(simulator: Simulator) -> int:
    return len(simulator.read("objects")["charges"])


@pytest.mark.parametrize("fault", ["rate_limit_429", "reset_before", "error_500_before"])
def test_a_fault_before_execution_has_no_effect(simulator: Simulator, fault: str) -> None:
    """Nothing is executed or stored, so a retry with the key is executed."""
    simulator.set_faults(**{fault: 1.0})
    with pytest.raises(stripe.StripeError) as failure:
        simulator.pay(options=KEY)
    expected = {"rate_limit_429": 429, "reset_before": None, "error_500_before": 500}[fault]
    assert failure.value.http_status == expected
    assert simulator.read("stats")["faults"] == {fault: 1}
    assert (_charges(simulator), simulator.read("executions")["executions"]) == (0, [])
    simulator.set_faults()
    assert simulator.pay(options=KEY).status == "succeeded"


def test_a_500_after_execution_is_stored_under_the_key(simulator: Simulator) -> None:
    """The 500 is replayed for ever, but the payment exists, and its webhooks come."""
    simulator.set_faults(error_500_after=1.0)
    for _ in range(2):
        with pytest.raises(stripe.APIError) as failure:
            simulator.pay(options=KEY)
        assert failure.value.http_status == 500
        simulator.set_faults()
    assert (failure.value.headers or {})["idempotent-replayed"] == "true"
    assert _charges(simulator) == 1
    received = simulator.receiver.wait_for_types("payment_intent.succeeded")
    assert {item.event["request"]["idempotency_key"] for item in received} == {"key-1"}


def test_a_500_after_execution_says_not_to_retry(simulator: Simulator) -> None:
    """Stripe-Should-Retry says no after an execution, and yes before one."""
    form = {"amount": "1000", "currency": "eur"}
    headers = {"authorization": "Bearer sk_test_of_the_tests"}
    advice = {}
    for fault in ("error_500_after", "error_500_before"):
        simulator.set_faults(**{fault: 1.0})
        response = simulator.http.post("/v1/payment_intents", data=form, headers=headers)
        advice[fault] = response.headers["stripe-should-retry"]
    assert advice == {"error_500_after": "false", "error_500_before": "true"}


@pytest.mark.parametrize("fault", ["reset_after", "timeout_after"])
def test_a_response_is_lost_after_execution(simulator: Simulator, fault: str) -> None:
    """The payment exists, and a retry with the key returns it."""
    simulator.set_faults(**{fault: 1.0, "timeout_hold_s": 0.3})
    with pytest.raises(stripe.APIConnectionError):
        simulator.pay(options=KEY)
    assert simulator.read("stats")["faults"] == {fault: 1}
    simulator.set_faults()
    assert simulator.pay(options=KEY).status == "succeeded"
    assert _charges(simulator) == 1
    simulator.receiver.wait_for_types("payment_intent.succeeded")


def test_a_reset_fault_resets_the_connection(simulator: Simulator) -> None:
    """The connection is reset, not closed in order."""
    simulator.set_faults(reset_before=1.0)
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)) as failure:
        simulator.http.get("/v1/events")
    assert "reset" in repr(failure.value.__cause__ or failure.value).lower()


def test_a_waiting_client_gets_no_response(simulator: Simulator) -> None:
    """timeout_after delays the response for its time, unless the client disconnects."""
    simulator.set_faults(timeout_after=1.0, timeout_hold_s=0.5)
    begun = time.monotonic()
    with pytest.raises(stripe.APIConnectionError):
        simulator.pay()
    assert 0.5 <= time.monotonic() - begun < 5


def test_a_slow_fault_delays_the_call(simulator: Simulator) -> None:
    """A slow call takes a time from its range, and succeeds."""
    simulator.set_faults(slow=1.0, slow_s=[0.3, 0.4])
    begun = time.monotonic()
    assert simulator.pay().status == "succeeded"
    assert 0.3 <= time.monotonic() - begun < 3


def test_early_webhooks_precede_the_response(simulator: Simulator) -> None:
    """With ``early``, every webhook of a call is received before its response."""
    simulator.set_faults(early=1.0, early_hold_s=[0, 0])
    simulator.pay()
    assert sorted(simulator.receiver.types()) == [
        "charge.succeeded",
        "payment_intent.created",
        "payment_intent.succeeded",
    ]
    assert simulator.read("stats")["faults"] == {"early": 1}


def test_a_retry_has_its_own_faults(simulator: Simulator) -> None:
    """Faults are drawn for each attempt, so a client that retries gets through."""
    simulator.set_faults(rate_limit_429=0.5)
    responses: list[str] = []
    while not responses or responses[-1] != "succeeded":
        try:
            responses.append(str(simulator.pay(options=KEY).status))
        except stripe.RateLimitError:
            responses.append("429")
    assert len(responses) < 50


WRONG: list[dict[str, Any]] = [
    {"drop": 1.1},
    {"dorp": 0.1},
    {"delay_s": [2, 1]},
    {"timeout_hold_s": 1e300},
]


@pytest.mark.parametrize("faults", WRONG)
def test_wrong_faults_are_refused(simulator: Simulator, faults: dict[str, Any]) -> None:
    """A probability out of bounds, an unknown fault or an inverted range is refused."""
    assert simulator.http.put("/_control/faults", json=faults).status_code == 422
    assert simulator.read("faults")["drop"] == 0


@pytest.mark.parametrize("body", ["nope", '"nope"', "", "{", b"\xff", "[" * 100_000])
def test_faults_that_cannot_be_read_are_refused(simulator: Simulator, body: str | bytes) -> None:
    """The error lists the presets if the text could be a name."""
    response = simulator.http.put("/_control/faults", content=body)
    assert response.status_code == 400
    if "nope" in str(body):
        assert "neither one of none, rough, hostile nor" in response.json()["error"]["message"]


@pytest.mark.parametrize("body", ["hostile", '"hostile"'])
def test_a_preset_is_switched_on_by_name(simulator: Simulator, body: str) -> None:
    """A preset's name switches its faults on."""
    assert simulator.http.put("/_control/faults", content=body).status_code == 200
    assert simulator.read("faults")["drop"] > 0
