"""What the shop does for an order, step by step: checkout, another card, the bank, parcel, return.

Each step may be repeated, after a crash too: its Idempotency-Key follows from the order.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from .orders import Order, Orders
from .payments_api import PaymentsApi

Json = dict[str, Any]

#: How many cards a customer may try. With 1, the first decline would end the payment.
CARDS_MAX = 3


class Next(StrEnum):
    """What an order waits for."""

    PARCEL = "the money is reserved: send the parcel, then capture"
    BANK = "the customer has to visit the bank's page"
    APP = "the customer has to authenticate in the provider's SDK"
    OTHER_CARD = "the card was declined: ask the customer for another one"
    NOTHING = "paid"
    NO_MORE = "not paid, and it never will be: begin a new order"
    TIME = "nothing is known yet: show the customer the order, and look again later"


@dataclass(frozen=True)
class Step:
    """What an order waits for; with the bank's page, or why the card was declined."""

    next: Next
    detail: str = ""


@dataclass(frozen=True)
class Done:
    """What became of a capture or a refund.

    Args:
        is_done: the provider has it.
        code: why not, for programs; None if it is done or still under way.
        reason: why not, for people.
    """

    is_done: bool
    code: str | None
    reason: str | None


class Shop:
    """The shop's backend. Every method raises RequestRefusedError and NoAnswerError."""

    def __init__(self, api: PaymentsApi, orders: Orders, back: str) -> None:
        """``back`` is the shop's page to which the bank sends the customer."""
        self._api = api
        self._orders = orders
        self._back = back

    def check_out(self, order: Order, card: str) -> Step:
        """Reserves the money of an order. ``card`` is the provider's token of a payment method."""
        wanted = {
            "amount": order.amount,
            "currency": order.currency,
            "payment_method": card,
            "capture_method": "manual",
            "max_attempts": CARDS_MAX,
            "return_url": f"{self._back}?order={order.number}",
            "order_reference": order.number,  # to find it here
            "metadata": {"order": order.number},  # and in the provider's dashboard
        }
        terms = self._orders.terms(order, wanted)
        payment = self._api.create(f"order-{order.number}", terms)
        self._orders.set_payment(order, payment["id"])
        return _step(payment)

    def try_another_card(self, order: Order, card: str) -> Step:
        """Tries once more after a decline, with the same payment.

        The key has the attempt's number. So two clicks are one attempt, and with two different
        cards the second one is refused (422).
        """
        payment = self._api.settled(self._orders.payment_of(order))
        if _step(payment).next is Next.OTHER_CARD:
            key = f"order-{order.number}-attempt-{payment['attempts'] + 1}"
            self._api.operate(payment["id"], "confirm", key, {"payment_method": card})
            payment = self._api.settled(payment["id"])
        return _step(payment)

    def customer_is_back(self, order: Order) -> Step:
        """Waits for the bank's answer. What the customer's address says about it proves nothing."""
        waiting = {Next.BANK, Next.APP, Next.TIME}
        payment_id = self._orders.payment_of(order)
        return _step(self._api.wait_while(payment_id, lambda p: _step(p).next in waiting))

    def parcel_has_left(self, order: Order) -> Done:
        """Takes the reserved money, and waits until it is reported: before, nothing is refunded."""
        done = self._operate(order, "capture", "parcel", {"amount": "all"})
        if done.is_done:
            payment_id = self._orders.payment_of(order)
            self._api.wait_while(payment_id, lambda p: _step(p).next is Next.PARCEL)
        return done

    def came_back(self, order: Order, return_number: str, amount: int) -> Done:
        """Gives money back for one return; each return has a number, so it is paid back once."""
        body = {"amount": amount, "reason": "requested_by_customer"}
        return self._operate(order, "refunds", f"return-{return_number}", body)

    def _operate(self, order: Order, what: str, name: str, body: Json) -> Done:
        payment_id = self._orders.payment_of(order)
        operation = self._api.operate(payment_id, what, f"order-{order.number}-{name}", body)
        return Done(operation["status"] == "done", operation["code"], operation["reason"])


def _step(payment: Json) -> Step:
    """Reads a payment's next step from its status and its next action."""
    failure, action = payment["failure"], payment["next_action"] or {}
    why = "" if failure is None else failure["message"]
    match payment["status"], action.get("type"):
        case "AUTHORIZED", _:
            return Step(Next.PARCEL)
        case "SUCCEEDED", _:
            return Step(Next.NOTHING)
        case "FAILED" | "CANCELED", _:
            return Step(Next.NO_MORE, why)
        case _, "redirect":
            return Step(Next.BANK, action["url"])
        case _, "provider_sdk":
            return Step(Next.APP)
        case _, "new_payment_method":
            return Step(Next.OTHER_CARD, why)
        case _:
            return Step(Next.TIME)
