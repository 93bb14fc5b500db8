"""Each request to Stripe counts for its endpoint too, and a refusal for that blocks it alone."""

import re
from pathlib import Path

import pytest
import stripe

from ports.provider import RateLimitedError
from ports.rate_budget import RateBudget, RequestBudget, RequestClass
from providers.stripe.access.asking import asking, endpoint_of
from tests.providers.stripe.builders import stripe_error

pytestmark = pytest.mark.anyio


class Budget:
    """A ``RateBudget`` that notes, in order, what is taken and refused, by endpoint."""

    blocked_s = 0.0

    def __init__(self, name: str = "account", log: list[tuple[str, object]] | None = None) -> None:
        self.name = name
        self.log = [] if log is None else log
        self.is_used_up = False

    async def take(self, what: RequestClass) -> None:
        """See ``RateBudget.take``."""
        if self.is_used_up:
            raise RateLimitedError("used up")
        self.log.append((self.name, what))

    async def refused(self, wish_s: float | None) -> None:
        """See ``RateBudget.refused``."""
        self.log.append((self.name, wish_s))

    def of_endpoint(self, endpoint: str) -> RateBudget | None:
        """See ``RateBudget.of_endpoint``; one endpoint is not limited further."""
        return Budget(endpoint, self.log) if "refunds" not in endpoint else None


@pytest.mark.parametrize(
    ("method", "path", "endpoint"),
    [
        ("post", "/v1/payment_intents", "POST /v1/payment_intents"),
        ("get", "/v1/payment_intents", "GET /v1/payment_intents"),
        ("get", "/v1/payment_intents/pi_1", "GET /v1/payment_intents/{id}"),
        ("get", "/v1/payment_intents/search", "GET /v1/payment_intents/search"),
        ("post", "/v1/payment_intents/pi_1/capture", "POST /v1/payment_intents/{id}/capture"),
        ("get", "/v1/radar/early_fraud_warnings", "GET /v1/radar/early_fraud_warnings"),
        ("get", "/v1/radar/early_fraud_warnings/i_1", "GET /v1/radar/early_fraud_warnings/{id}"),
        ("get", "/v2/core/events/evt_1", "GET /v2/core/events/{id}"),
        ("get", "/v1/account", "GET /v1/account"),
    ],
)
def test_an_endpoint_is_an_operation_on_any_object(method: str, path: str, endpoint: str) -> None:
    """As Stripe counts them."""
    assert endpoint_of(method, path) == endpoint


def test_no_path_of_ours_leaves_an_id_in_an_endpoint() -> None:
    """Otherwise each object would have a bucket of its own, which limits nothing."""
    sources = Path("providers/stripe").rglob("*.py")
    found = {p for s in sources for p in re.findall(r'f?"(/v[12]/[^"]+)"', s.read_text())}
    assert len(found) > 5
    for path in found:
        filled = re.sub(r"\{[^}]+\}", "xx_1ID", path.replace("{verb}", "capture"))
        if "xx_1ID" in filled:
            assert "xx_1ID" not in endpoint_of("get", filled), path


async def test_a_request_takes_of_its_endpoint_first_and_of_the_account() -> None:
    """One that the endpoint has no room for leaves the account's token to others."""
    budget = Budget()
    async with asking(RequestBudget(budget, RequestClass.SWEEP), "get", "/v1/events"):
        pass
    async with asking(RequestBudget(budget, RequestClass.SWEEP), "post", "/v1/refunds"):
        pass
    assert budget.log == [
        ("GET /v1/events", RequestClass.SWEEP),
        ("account", RequestClass.SWEEP),
        ("account", RequestClass.CALL),
    ]


@pytest.mark.parametrize(
    ("reason", "blocked"),
    [
        ("endpoint-rate", "GET /v1/events"),
        ("endpoint-concurrency", "GET /v1/events"),
        ("global-rate", "account"),
        (None, "account"),
    ],
)
async def test_a_refusal_blocks_what_it_names(reason: str | None, blocked: str) -> None:
    """An endpoint alone, so that everything else goes on; without a reason the account."""
    budget = Budget()
    headers = {"Retry-After": "7"} | ({"Stripe-Rate-Limited-Reason": reason} if reason else {})
    error = stripe_error(429, {"type": "invalid_request_error", "code": "rate_limit"}, headers)

    async def ask() -> None:
        async with asking(RequestBudget(budget, RequestClass.SWEEP), "get", "/v1/events"):
            raise error

    with pytest.raises(RateLimitedError):
        await ask()
    assert budget.log[2:] == [(blocked, 7.0)]
    assert isinstance(error, stripe.RateLimitError)
