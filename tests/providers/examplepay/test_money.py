"""Decimals in major units are converted exactly to minor units; anything else is malformed."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ports.provider import MalformedWebhookError
from providers.examplepay.money import ExamplePayMoney, decimal, minor_units
from tests.providers.published.iso_4217 import DECIMALS

#: Hypothesis's deadline would fail on a busy machine.
unhurried = settings(deadline=None)

AMOUNTS: list[tuple[str, str, int]] = [
    ("12.34", "EUR", 1234),
    ("0.05", "EUR", 5),
    ("12", "EUR", 1200),
    ("12.3", "EUR", 1230),
    ("0", "EUR", 0),
    ("0.00", "EUR", 0),
    ("1999", "JPY", 1999),
    ("1.234", "KWD", 1234),
    ("0.001", "KWD", 1),
    ("1.2", "KWD", 1200),
    ("1.2345", "CLF", 12_345),
    ("999999.99", "USD", 99_999_999),
    ("90071992547.41", "USD", 9_007_199_254_741),
]


@pytest.mark.parametrize(("text", "currency", "amount"), AMOUNTS)
def test_a_decimal_is_converted_to_minor_units(text: str, currency: str, amount: int) -> None:
    """It may have at most as many decimals as the currency."""
    made = minor_units(text, currency)
    assert made == amount
    assert type(made) is int


@pytest.mark.parametrize(
    ("text", "currency"),
    [("12.345", "EUR"), ("12.340", "EUR"), ("1.0", "JPY"), ("1.2345", "KWD")],
)
def test_more_decimals_than_the_currency_has_are_malformed(text: str, currency: str) -> None:
    """The amount is not rounded, even if the extra decimals are zeros."""
    with pytest.raises(MalformedWebhookError, match=currency):
        minor_units(text, currency)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            " ",
            "-1",
            "+1",
            "1e3",
            "1E3",
            "1,50",
            "1_000",
            "1.23456",
            ".5",
            "5.",
            "01",
            "0x1",
            "1 ",
            "1\n",
        ),
        *("NaN", "Infinity", "\N{ARABIC-INDIC DIGIT FIVE}", "\N{FULLWIDTH DIGIT FIVE}", "1" * 13),
    ],
)
def test_anything_but_a_plain_decimal_is_malformed(text: str) -> None:
    """Signs, exponents, grouping, non-ASCII digits and very long numbers are refused."""
    with pytest.raises(MalformedWebhookError):
        minor_units(text, "EUR")


@unhurried
@given(amount=st.integers(0, 99_999_999), currency=st.sampled_from(sorted(DECIMALS)))
def test_an_amount_survives_the_round_trip(amount: int, currency: str) -> None:
    """The decimal is the amount shifted by the currency's number of decimals."""
    text = decimal(amount, currency)
    assert minor_units(text, currency) == amount
    assert Decimal(text) == Decimal(amount).scaleb(-DECIMALS[currency])


@unhurried
@given(text=st.text(alphabet="0123456789.-+eE ", max_size=20))
def test_any_text_is_converted_exactly_or_malformed(text: str) -> None:
    """No text gives a wrong amount."""
    try:
        amount = minor_units(text, "EUR")
    except MalformedWebhookError:
        return
    assert Decimal(text) * 100 == amount


@pytest.mark.parametrize("currency", ["XYZ", "XAU", "EU"])
def test_an_amount_in_an_unknown_currency_is_malformed(currency: str) -> None:
    """Nothing says how many decimals it has, and a guess could be off by a hundred."""
    with pytest.raises(MalformedWebhookError, match="ISO 4217"):
        minor_units("12.34", currency)


@pytest.mark.parametrize(
    ("currency", "most"),
    [("JPY", 999_999_999_999), ("EUR", 99_999_999_999_999), ("KWD", 999_999_999_999_999)],
)
def test_the_largest_amount_has_twelve_digits_before_the_point(currency: str, most: int) -> None:
    """It comes back as it was sent, and one more is refused."""
    rules = ExamplePayMoney()
    assert rules.refuses(most, currency) is None
    assert minor_units(decimal(most, currency), currency) == most
    refused = rules.refuses(most + 1, currency)
    assert refused is not None
    assert refused.field == "amount"
