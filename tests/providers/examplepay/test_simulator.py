"""The simulator's own faults, and what it refuses: what the kit relies on is really there."""

from collections import Counter
from collections.abc import Iterator

import httpx
import pytest

from sandbox.examplepay_simulator.__main__ import main
from schemas.settings import ExamplePaySettings
from tests.conformance.kit.examplepay_adapter import API_KEY, ExamplePayAdapter
from tests.simulator.harness import DEADLINE_S


@pytest.fixture(scope="module")
def provider() -> Iterator[ExamplePayAdapter]:
    """The simulator and a receiver."""
    with ExamplePayAdapter.running() as running:
        yield running


@pytest.fixture
def api(provider: ExamplePayAdapter) -> Iterator[httpx.Client]:
    """Its API, as it is without an adapter."""
    provider.start_fresh()
    headers = {"Authorization": f"ApiKey {API_KEY}"}
    with httpx.Client(base_url=provider.address, headers=headers, timeout=DEADLINE_S) as client:
        yield client


def pay(api: httpx.Client, key: str, **changes: object) -> httpx.Response:
    """A payment of 10 EUR."""
    amount = {"value": "10.00", "currency": "EUR"}
    body = {"amount": amount, "instrument": "tok_good", **changes}
    return api.post("/payments", json=body, headers={"Operation-Key": key})


def control(api: httpx.Client, action: str, **body: object) -> None:
    """Makes something happen."""
    api.post(f"/_control/{action}", json=body).raise_for_status()


def delivered(provider: ExamplePayAdapter) -> list[str]:
    """The event IDs that came, in order of arrival, once all have."""
    provider.settle()
    return [delivery.headers["webhook-id"] for delivery in provider.receiver.deliveries]


def test_a_duplicate_is_the_same_message(provider: ExamplePayAdapter, api: httpx.Client) -> None:
    """Twice, with the same ID and body."""
    control(api, "faults", duplicate=True)
    pay(api, "one")
    assert set(Counter(delivered(provider)).values()) == {2}
    assert len({delivery.body for delivery in provider.receiver.deliveries}) == 2


def test_reordered_webhooks_come_in_another_order(
    provider: ExamplePayAdapter, api: httpx.Client
) -> None:
    """Of two dozen some overtake others, and none is missing."""
    control(api, "faults", reorder=True)
    for number in range(12):
        pay(api, f"key-{number}")
    came = delivered(provider)
    assert len(came) == len(set(came)) == 24
    assert came != sorted(came)


def test_a_webhook_that_is_not_taken_comes_again(provider: ExamplePayAdapter) -> None:
    """Under the same ID, newly signed, until it is taken."""
    provider.start_fresh()
    provider.receiver.fail_next = 2
    with httpx.Client(base_url=provider.address, timeout=DEADLINE_S) as client:
        client.headers["Authorization"] = f"ApiKey {API_KEY}"
        pay(client, "one")
    came = Counter(delivered(provider))
    assert sum(came.values()) == 4
    assert len(came) == 2
    assert provider.facts()


@pytest.mark.parametrize(
    "amount",
    [
        {"value": "10.001", "currency": "EUR"},
        {"value": "1.5", "currency": "JPY"},
        {"value": "-1", "currency": "EUR"},
        {"value": "0", "currency": "EUR"},
        {"value": "much", "currency": "EUR"},
        {"value": "NaN", "currency": "EUR"},
        {},
    ],
)
def test_what_is_no_amount_is_refused(api: httpx.Client, amount: dict[str, str]) -> None:
    """Also a part of a minor unit."""
    answer = pay(api, "one", amount=amount)
    assert (answer.status_code, answer.json()["fault"]) == (422, "invalid_amount")


def test_a_payment_is_in_one_state_after_the_other(
    provider: ExamplePayAdapter, api: httpx.Client
) -> None:
    """Each change has a time of its own, later than the one before."""
    for number in range(5):
        pay(api, f"key-{number}")
    events = api.get("/events", params={"limit": 100}).json()["events"]
    times = [event["occurred_at"] for event in events]
    assert times == sorted(set(times))
    assert {event["name"] for event in events} == {"payment/new", "payment/paid"}
    assert len(delivered(provider)) == 10


def test_the_program_needs_the_providers_settings(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without them there is nowhere to be; it ends and names one."""
    monkeypatch.setenv("PAYMENTS_API_KEYS", f"shop:{'0' * 64}")
    for name in ExamplePaySettings.model_fields:
        monkeypatch.delenv(f"PAYMENTS_{name}".upper(), raising=False)
    assert main() == 2
    assert "PAYMENTS_EXAMPLEPAY_API_BASE" in capsys.readouterr().err
