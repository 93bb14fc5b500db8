"""Bugs of the shop's backend."""

from typing import Final

from tests.mutants.planted import Bug

_SHOP: Final = "tests/service/examples/test_shop.py::test_{}"

BUGS: Final = (
    Bug(
        "examples",
        "examples.shop.shop:Shop.check_out",
        "self._orders.terms(order, wanted)",
        "wanted",
        "a shop that crashed can't find its payment again once the customer has another card",
        (_SHOP.format("a_shop_that_crashed_finds_its_payment_again"),),
    ),
    Bug(
        "examples",
        "examples.shop.shop:Shop.check_out",
        'f"order-{order.number}"',
        'f"order-{order.number}-{card}"',
        "after a crash the customer pays with both cards",
        (_SHOP.format("a_shop_that_crashed_finds_its_payment_again"),),
    ),
    Bug(
        "examples",
        "examples.shop.payments_api:PaymentsApi._request",
        "except httpx.TransportError as error:",
        "except httpx.ConnectError as error:",
        "a lost answer ends the checkout",
        (_SHOP.format("a_lost_answer_charges_nobody_twice"),),
    ),
    Bug(
        "examples",
        "examples.shop.shop:Shop.try_another_card",
        'payment = self._api.settled(payment["id"])',
        "pass",
        "the shop asks for another card although the last one has paid",
        (_SHOP.format("after_a_decline_another_card_pays"),),
    ),
    Bug(
        "examples",
        "examples.shop.shop:Shop.parcel_has_left",
        "if done.is_done:",
        "if not done.is_done:",
        "what comes back at once is refused, because the capture is not reported yet",
        (_SHOP.format("what_comes_back_at_once_is_paid_back"),),
    ),
)
