"""The limits of an account: requests in any second, in all and of each operation."""

from collections.abc import Callable
from typing import Any

import pytest
import stripe

from sandbox.stripe_simulator.accounts.rate_limit import RateLimit
from sandbox.stripe_simulator.errors import RateLimitError
from tests.simulator.harness import Receiver, Simulator, serving

SECOND: Any = {"id": "acct_second", "api_key": "sk_test_second", "requests_per_s": 2}


class Time:
    """A clock that a test sets."""

    now = 100.0


def limit(per_s: float | None, endpoint_per_s: float | None, time: Time) -> RateLimit:
    """A limit on this clock."""
    return RateLimit(per_s, endpoint_per_s, lambda: time.now)


def taken(limit: RateLimit, *operations: str) -> list[str]:
    """What each request came to: the reason of its refusal, or nothing."""
    found: list[str] = []
    for operation in operations:
        try:
            limit.take(operation)
        except RateLimitError as error:
            found.append(error.reason)
        else:
            found.append("")
    return found


def test_no_second_has_more_requests_than_the_limit() -> None:
    """Wherever the second begins; and what is refused does not count."""
    time = Time()
    limited = limit(3, None, time)
    assert taken(limited, "a", "b", "c", "d", "d") == ["", "", "", "global-rate", "global-rate"]
    time.now += 0.999
    assert taken(limited, "a") == ["global-rate"]
    time.now += 0.001
    assert taken(limited, "a", "a", "a", "a") == ["", "", "", "global-rate"]
    assert limited.most_in_a_second == 3


def test_each_operation_has_a_limit_of_its_own_as_well() -> None:
    """What it refuses leaves the account's own limit as it was."""
    limited = limit(3, 2, Time())
    assert taken(limited, "a", "a", "a", "a", "b", "b") == [
        "", "", "endpoint-rate", "endpoint-rate", "", "global-rate",
    ]  # fmt: skip


def test_without_a_limit_requests_are_only_counted() -> None:
    """The most in one second is known all the same."""
    time = Time()
    limited = limit(None, None, time)
    for _ in range(50):
        limited.take("a")
        time.now += 0.125
    assert limited.most_in_a_second == 8


def test_reset_forgets_what_was_counted() -> None:
    """As if no request had come."""
    limited = limit(1, 1, Time())
    assert taken(limited, "a", "a") == ["", "global-rate"]
    limited.forget()
    assert limited.most_in_a_second == 0
    assert taken(limited, "a") == [""]


def refusals(simulator: Simulator, ask: Callable[[stripe.StripeClient], object]) -> list[Any]:
    """The refusals of six requests at once, within a second."""
    found = []
    for _ in range(6):
        try:
            ask(simulator.client)
        except stripe.RateLimitError as error:
            found.append(error)
    return found


def test_a_limit_is_each_accounts_own() -> None:
    """The answer is Stripe's; reads count too, and no other account notices."""
    with serving(Receiver(), accounts=[SECOND], endpoint_requests_per_s=4) as simulator:
        second = simulator.of("sk_test_second")
        found = refusals(second, lambda client: client.v1.events.list())
        assert len(found) == 4
        for error in found:
            assert error.http_status == 429
            assert error.json_body["error"]["code"] == "rate_limit"
            assert error.headers["Stripe-Rate-Limited-Reason"] == "global-rate"
            assert error.headers["Stripe-Should-Retry"] == "true"
        assert simulator.read("stats?account=acct_second")["counts"] == {
            "rate_limited.global-rate": 4
        }
        of_first = refusals(simulator, lambda client: client.v1.events.list())
        assert [e.headers["Stripe-Rate-Limited-Reason"] for e in of_first] == ["endpoint-rate"] * 2
        simulator.client.v1.charges.list()
        assert simulator.read("stats")["most_requests_in_a_second"] == 5
        assert simulator.read("stats?account=acct_second")["most_requests_in_a_second"] == 2


def test_a_refused_write_was_not_carried_out() -> None:
    """Its idempotency key is free."""
    one: Any = {**SECOND, "requests_per_s": 1}
    with serving(Receiver(), accounts=[one]) as simulator:
        second = simulator.of("sk_test_second")
        second.client.v1.events.list()
        with pytest.raises(stripe.RateLimitError):
            second.pay(options={"idempotency_key": "order-1"})
        assert simulator.read("objects?account=acct_second")["payment_intents"] == []
        assert simulator.read("executions?account=acct_second")["executions"] == []
