"""Amounts are shown with the decimals that ISO 4217 gives their currency."""

import pytest

from domain.money import EXPONENTS, format_amount
from tests.providers.published.iso_4217 import DECIMALS


def test_the_table_is_iso_4217s() -> None:
    """A newer package that has another currency or other decimals is noticed here."""
    assert dict(EXPONENTS) == DECIMALS


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (1999, "EUR", "19.99 EUR"),
        (5, "EUR", "0.05 EUR"),
        (0, "EUR", "0.00 EUR"),
        (-150, "EUR", "-1.50 EUR"),
        (1999, "JPY", "1999 JPY"),
        (1999, "KWD", "1.999 KWD"),
        (19_999, "CLF", "1.9999 CLF"),
        (1999, "HUF", "19.99 HUF"),
        (1999, "IDR", "19.99 IDR"),
        (1999, "MGA", "19.99 MGA"),
        (1999, "XAU", "1999 minor units of XAU"),
        (1999, "ZZZ", "1999 minor units of ZZZ"),
        (99_999_999_999, "USD", "999999999.99 USD"),
    ],
)
def test_an_amount_is_shown_as_its_currency_writes_it(
    amount: int, currency: str, text: str
) -> None:
    """An unknown currency is shown in minor units, without a decimal point."""
    assert format_amount(amount, currency) == text
