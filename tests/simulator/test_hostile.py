"""All faults at once: the simulator itself stays consistent."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import stripe

from sandbox.stripe_simulator.faults import PRESETS, Faults
from tests.simulator.harness import Simulator, running

PAYMENTS = 80
ATTEMPTS = 30


def _pay(simulator: Simulator, number: int) -> None:
    """Try until there is a response; a stored 500 is replayed for ever."""
    for _ in range(ATTEMPTS):
        try:
            simulator.pay(
                metadata={"number": str(number)}, options={"idempotency_key": f"pay-{number}"}
            )
        except (stripe.APIConnectionError, stripe.RateLimitError):
            continue
        except stripe.APIError as error:
            if (error.headers or {}).get("stripe-should-retry") == "true":
                continue
        return
    raise AssertionError("no response")


def test_hostile_faults_do_not_corrupt_the_simulator() -> None:
    """One payment per key, each event delivered or pending, each fault drawn, no valid forgery."""
    quick = {"timeout_hold_s": 0.2, "slow_s": (0.0, 0.1), "delay_s": (0.1, 0.3)}
    faults = PRESETS["hostile"].model_copy(update={"drop": 0.1, "timeout_after": 0.1, **quick})
    with running(faults=faults, seed="hostile") as simulator:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda number: _pay(simulator, number), range(PAYMENTS)))
        simulator.settle()
        stats = simulator.read("stats")
        objects = simulator.read("objects")
        simulator.http.put("/_control/faults", content="none").raise_for_status()
        simulator.control("clock", {"advance_seconds": PRESETS["hostile"].listed_late_s[1] + 1})
        undelivered = simulator.client.v1.events.list(
            {"delivery_success": False, "limit": 100}
        ).data
        events = list(simulator.client.v1.events.list({"limit": 100}).auto_paging_iter())
    made = Counter(item["metadata"]["number"] for item in objects["payment_intents"])
    assert made == Counter({str(number): 1 for number in range(PAYMENTS)})
    assert len(objects["charges"]) == PAYMENTS
    received = simulator.receiver.received
    delivered = {item.event["id"] for item in received if item.genuine}
    assert delivered | {event.id for event in undelivered} == {event.id for event in events}
    assert not delivered & {event.id for event in undelivered}
    probabilities = {name for name, value in Faults() if value == 0.0}
    assert probabilities <= set(stats["faults"])
    assert stats["counts"]["forged.refused"] == sum(not item.genuine for item in received)
    assert "forged.accepted" not in stats["counts"]
