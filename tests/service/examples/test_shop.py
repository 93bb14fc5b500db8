"""The shop is paid once for each order, whatever is declined, lost or repeated."""

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from examples.shop.orders import Order, Orders
from examples.shop.payments_api import PaymentsApi
from examples.shop.shop import CARDS_MAX, Next, Shop
from sandbox.topology import PROJECT
from tests.service.stack import Stack

GOOD: Final = "pm_card_visa"
DECLINED: Final = "pm_card_chargeDeclined"
AUTHENTICATES: Final = "pm_card_authenticationRequired"
BACK: Final = "https://shop.example/back"
ENDS_WITHIN_S: Final = 120.0


class LosesAnswers(httpx.BaseTransport):
    """Sends every request on, and loses the first answer to each POST."""

    def __init__(self) -> None:
        self._inner = httpx.HTTPTransport()
        self._known: set[tuple[str, str]] = set()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """See httpx's."""
        response = self._inner.handle_request(request)
        named = request.url.path, request.headers.get("Idempotency-Key", "")
        if request.method == "POST" and named not in self._known:
            self._known.add(named)
            response.close()
            raise httpx.ReadError("the connection was lost")
        return response

    def close(self) -> None:
        """See httpx's."""
        self._inner.close()


class CrashesOnce(Orders):
    """The shop's process ends before it has kept what the service answered."""

    has_crashed = False

    def set_payment(self, order: Order, payment_id: str) -> None:
        """See ``Orders.set_payment``."""
        if not self.has_crashed:
            self.has_crashed = True
            raise KeyboardInterrupt
        super().set_payment(order, payment_id)


def _client(stack: Stack, transport: httpx.BaseTransport | None = None) -> httpx.Client:
    authorization = {"Authorization": f"Bearer {stack.api_key}"}
    return httpx.Client(
        base_url=stack.url, headers=authorization, timeout=30.0, transport=transport
    )


@pytest.fixture
def shop(stack: Stack, tmp_path: Path) -> Iterator[Shop]:
    """The shop with an empty table of orders."""
    orders = Orders(str(tmp_path / "orders.db"))
    with _client(stack) as http:
        yield Shop(PaymentsApi(http), orders, BACK)
    orders.close()


def _order(amount: int = 1999) -> Order:
    return Order(uuid.uuid4().hex, amount, "EUR")


def _charged(stack: Stack, order: Order) -> list[dict[str, Any]]:
    """The objects that the provider made for this order."""
    objects = httpx.get(f"{stack.simulator_url}/_control/objects").json()
    return [i for i in objects["payment_intents"] if i["metadata"].get("order") == order.number]


def test_an_order_is_reserved_captured_and_given_back_in_part(stack: Stack, shop: Shop) -> None:
    """Every step says what is next; a repeated one does nothing."""
    order = _order()
    for _ in range(2):
        assert shop.check_out(order, GOOD).next is Next.PARCEL
    for _ in range(2):
        assert shop.parcel_has_left(order).is_done
    for _ in range(2):
        assert shop.came_back(order, "1", 500).is_done
    (intent,) = _charged(stack, order)
    assert intent["amount_received"] == 1999
    refunds = httpx.get(f"{stack.simulator_url}/_control/objects").json()["refunds"]
    assert [r["amount"] for r in refunds if r["payment_intent"] == intent["id"]] == [500]


def test_what_comes_back_at_once_is_paid_back(stack: Stack, shop: Shop) -> None:
    """The shop waits until the provider has reported the capture: a refund before is rejected."""
    faults = f"{stack.simulator_url}/_control/faults"
    order = _order()
    shop.check_out(order, GOOD)
    httpx.put(faults, json={"delay": 1.0, "delay_s": [1.0, 1.0]}).raise_for_status()
    try:
        assert shop.parcel_has_left(order).is_done
        assert shop.came_back(order, "1", 500).is_done
    finally:
        httpx.put(faults, json={}).raise_for_status()


def test_a_refund_of_more_than_is_left_is_rejected_and_says_why(shop: Shop) -> None:
    """The shop gets a code for itself and a sentence for its people."""
    order = _order()
    shop.check_out(order, GOOD)
    assert shop.parcel_has_left(order).is_done
    rejected = shop.came_back(order, "1", 2000)
    assert (rejected.is_done, rejected.code) == (False, "amount_too_large")
    assert rejected.reason


def test_after_a_decline_another_card_pays(stack: Stack, shop: Shop) -> None:
    """It is one payment with two attempts."""
    order = _order()
    step = shop.check_out(order, DECLINED)
    assert step.next is Next.OTHER_CARD
    assert step.detail
    assert shop.try_another_card(order, GOOD).next is Next.PARCEL
    assert shop.try_another_card(order, GOOD).next is Next.PARCEL
    assert len(_charged(stack, order)) == 1


def test_when_all_cards_are_declined_the_order_ends(shop: Shop) -> None:
    """The shop never asks for more cards than it allows."""
    order = _order()
    step = shop.check_out(order, DECLINED)
    for _ in range(CARDS_MAX - 1):
        assert step.next is Next.OTHER_CARD
        step = shop.try_another_card(order, DECLINED)
    assert step.next is Next.NO_MORE


def test_the_customer_authenticates_at_the_bank(shop: Shop) -> None:
    """The shop believes the service, not the customer's address."""
    order = _order()
    step = shop.check_out(order, AUTHENTICATES)
    assert step.next is Next.BANK
    httpx.post(step.detail, data={"outcome": "succeed"})
    assert shop.customer_is_back(order).next is Next.PARCEL


def test_a_lost_answer_charges_nobody_twice(stack: Stack, tmp_path: Path) -> None:
    """The shop sends the same request with the same key again."""
    order, orders = _order(), Orders(str(tmp_path / "orders.db"))
    with _client(stack, LosesAnswers()) as http:
        shop = Shop(PaymentsApi(http), orders, BACK)
        assert shop.check_out(order, DECLINED).next is Next.OTHER_CARD
        assert shop.try_another_card(order, GOOD).next is Next.PARCEL
        assert shop.parcel_has_left(order).is_done
    orders.close()
    (intent,) = _charged(stack, order)
    assert intent["amount_received"] == order.amount


def test_a_shop_that_crashed_finds_its_payment_again(stack: Stack, tmp_path: Path) -> None:
    """Also if the customer has chosen another card meanwhile: the first one counts."""
    order, orders = _order(), CrashesOnce(str(tmp_path / "orders.db"))
    with _client(stack) as http:
        shop = Shop(PaymentsApi(http), orders, BACK)
        with pytest.raises(KeyboardInterrupt):
            shop.check_out(order, GOOD)
        assert shop.check_out(order, DECLINED).next is Next.PARCEL
        assert shop.parcel_has_left(order).is_done
    orders.close()
    (intent,) = _charged(stack, order)
    assert intent["amount_received"] == order.amount


def test_the_shop_runs_as_its_page_says(stack: Stack) -> None:
    """It plays its orders against the service that the environment names."""
    done = subprocess.run(
        [sys.executable, "-m", "examples.shop"],
        cwd=PROJECT, env={**os.environ, **stack.environment}, check=False, text=True,
        capture_output=True, timeout=ENDS_WITHIN_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for expected in (Next.PARCEL, Next.OTHER_CARD, Next.BANK, "amount_too_large"):
        assert expected in done.stdout
