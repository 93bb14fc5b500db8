"""Plays a few orders in the sandbox: ``python -m examples.shop``, while ``make run`` serves.

set -a; . .sandbox/env; set +a
.venv/bin/python -m examples.shop
"""

import os
import sys
import tempfile
import uuid
from contextlib import closing
from pathlib import Path

import httpx

from .orders import Order, Orders
from .payments_api import PaymentsApi
from .shop import Next, Shop

#: Methods of the sandbox; a real customer's come from the provider's SDK.
GOOD, DECLINED, AUTHENTICATES = (
    "pm_card_visa",
    "pm_card_chargeDeclined",
    "pm_card_authenticationRequired",
)


def say(text: str) -> None:
    """Prints a line."""
    sys.stdout.write(f"{text}\n")


def play(shop: Shop) -> None:
    """One order that goes well, one whose card is declined, one whose bank asks the customer."""
    run = uuid.uuid4().hex[:8]  # a shop's order numbers are its own
    order = Order(f"{run}-1", 1999, "EUR")
    say(f"order 1: {shop.check_out(order, GOOD).next}")
    say(f"order 1, clicked twice: {shop.check_out(order, GOOD).next}")
    say(f"order 1, the parcel has left: {shop.parcel_has_left(order)}")
    say(f"order 1, a book came back: {shop.came_back(order, 'r1', 500)}")
    say(f"order 1, more came back than was paid: {shop.came_back(order, 'r2', 2000)}")
    order = Order(f"{run}-2", 4500, "EUR")
    step = shop.check_out(order, DECLINED)
    say(f"order 2: {step.next} ({step.detail})")
    say(f"order 2, another card: {shop.try_another_card(order, GOOD).next}")
    order = Order(f"{run}-3", 12_000, "EUR")
    step = shop.check_out(order, AUTHENTICATES)
    say(f"order 3: {step.next}: {step.detail}")
    if step.next is Next.BANK:
        httpx.post(step.detail, data={"outcome": "succeed"})  # what the customer does there
        say(f"order 3, the customer is back: {shop.customer_is_back(order).next}")


def main() -> None:
    """Plays the orders against the service that the environment names."""
    http = httpx.Client(
        base_url=os.environ["PAYMENTS_INGRESS_URL"],
        headers={"Authorization": f"Bearer {os.environ['PAYMENTS_SANDBOX_API_KEY']}"},
        timeout=30.0,
    )
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(Orders(str(Path(folder) / "orders.db"))) as orders,
        http,
    ):
        play(Shop(PaymentsApi(http), orders, "https://shop.example/back"))


if __name__ == "__main__":
    main()
