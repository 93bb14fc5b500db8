"""The simulator's faults and refusals, which the conformance kit relies on."""

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from providers.examplepay import client as module
from providers.examplepay.client import ExamplePayApi
from sandbox.examplepay_simulator.__main__ import main
from schemas.settings import ExamplePaySettings
from tests.conformance.kit.examplepay_adapter import API_KEY, ExamplePayAdapter
from tests.simulator.harness import DEADLINE_S


@pytest.fixture(scope="module")
def provider() -> Iterator[ExamplePayAdapter]:
    """A running simulator with a webhook receiver."""
    with ExamplePayAdapter.running() as running:
        yield running


@pytest.fixture
def api(provider: ExamplePayAdapter) -> Iterator[httpx.Client]:
    """A plain HTTP client of its API."""
    provider.start_fresh()
    headers = {"Authorization": f"ApiKey {API_KEY}"}
    with httpx.Client(base_url=provider.address, headers=headers, timeout=DEADLINE_S) as client:
        yield client


def pay(api: httpx.Client, key: str, **changes: object) -> httpx.Response:
    """Creates a payment of 10 EUR."""
    amount = {"value": "10.00", "currency": "EUR"}
    body = {"amount": amount, "instrument": "tok_good", **changes}
    return api.post("/payments", json=body, headers={"Operation-Key": key})


def control(api: httpx.Client, action: str, **body: object) -> None:
    """Sends a command to the simulator's control API."""
    api.post(f"/_control/{action}", json=body).raise_for_status()


def delivered(provider: ExamplePayAdapter) -> list[str]:
    """Waits for all webhooks; returns their event IDs in order of arrival."""
    provider.settle()
    return [delivery.headers["webhook-id"] for delivery in provider.receiver.deliveries]


def test_a_duplicate_is_the_same_message(provider: ExamplePayAdapter, api: httpx.Client) -> None:
    """It arrives twice with the same ID and body."""
    control(api, "faults", duplicate=True)
    pay(api, "one")
    assert set(Counter(delivered(provider)).values()) == {2}
    assert len({delivery.body for delivery in provider.receiver.deliveries}) == 2


def test_reordered_webhooks_arrive_out_of_order(
    provider: ExamplePayAdapter, api: httpx.Client
) -> None:
    """Some of 24 webhooks overtake others, and none is missing."""
    control(api, "faults", reorder=True)
    for number in range(12):
        pay(api, f"key-{number}")
    arrived = delivered(provider)
    assert len(arrived) == len(set(arrived)) == 24
    assert arrived != sorted(arrived)


def test_a_refused_webhook_is_sent_again(provider: ExamplePayAdapter) -> None:
    """It has the same ID and a new signature, and is repeated until it is accepted."""
    provider.start_fresh()
    provider.receiver.fail_next = 2
    with httpx.Client(base_url=provider.address, timeout=DEADLINE_S) as client:
        client.headers["Authorization"] = f"ApiKey {API_KEY}"
        pay(client, "one")
    arrived = Counter(delivered(provider))
    assert sum(arrived.values()) == 4
    assert len(arrived) == 2
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
def test_an_invalid_amount_is_refused(api: httpx.Client, amount: dict[str, str]) -> None:
    """This includes fractions of a minor unit."""
    response = pay(api, "one", amount=amount)
    assert (response.status_code, response.json()["fault"]) == (422, "invalid_amount")


def test_every_change_has_its_own_time(provider: ExamplePayAdapter, api: httpx.Client) -> None:
    """Each change of a payment is later than the one before."""
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
    """Without them it exits, and the error names a missing one."""
    monkeypatch.setenv("PAYMENTS_API_KEYS", f"shop:{'0' * 64}")
    for name in ExamplePaySettings.model_fields:
        monkeypatch.delenv(f"PAYMENTS_{name}".upper(), raising=False)
    assert main() == 2
    assert "PAYMENTS_EXAMPLEPAY_API_BASE" in capsys.readouterr().err


@pytest.fixture
async def client(provider: ExamplePayAdapter) -> AsyncIterator[ExamplePayApi]:
    """Our client of the simulator."""
    client = provider.client()
    yield client
    await client.close()


@pytest.mark.anyio
async def test_parts_are_fetched_page_by_page(
    api: httpx.Client, client: ExamplePayApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each comes once, and no page is empty."""
    monkeypatch.setattr(module, "PAGE", 2)
    paid = pay(api, "one").json()["id"]
    for _ in range(4):
        control(api, "refund", payment=paid, amount={"value": "1.00", "currency": "EUR"})
    control(api, "charge_back", payment_id=paid)
    since = datetime(2026, 1, 1, tzinfo=UTC)
    of_one = [[event.webhook.event_id for event in page] async for page in client.parts_of(paid)]
    assert [len(page) for page in of_one] == [2, 2, 1]
    assert len({event_id for page in of_one for event_id in page}) == 5
    pages = [page async for page in client.parts_since("refunds", since)]
    found = [[event.webhook.event_id for event in page.parts] for page in pages]
    assert found == of_one[:2]
    rest = [page async for page in client.parts_since("refunds", since, pages[0].after)]
    assert [[event.webhook.event_id for event in page.parts] for page in rest] == found[1:]
    again = [page async for page in client.parts_since("refunds", since, "refund-gone")]
    assert again == pages


@pytest.mark.anyio
async def test_a_part_that_cannot_be_read_stops_no_other(
    api: httpx.Client, client: ExamplePayApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is kept as it came, and an unchanged one is the same event."""
    paid = pay(api, "one").json()["id"]
    for _ in range(2):
        control(api, "refund", payment=paid, amount={"value": "1.00", "currency": "EUR"})
    get = client._get

    async def changed(path: str, kind: Any, **asked: Any) -> Any:
        page = await get(path, kind, **asked)
        if page.items:
            page.items[0] = type(page.items[0])(b'{"id":"refund-x","changed_at":"yesterday"}')
        return page

    monkeypatch.setattr(client, "_get", changed)
    first, second = [
        [event.webhook.event_id for page in found for event in page]
        for found in [[p async for p in client.parts_of(paid)] for _ in range(2)]
    ]
    assert first == second
    assert first[0].startswith("unreadable.")
    assert len(first) == 2
