"""Formats amounts for people, with the decimals of their currency. Elsewhere: minor units."""

from collections.abc import Mapping
from typing import Final

from iso4217 import Currency

#: How many decimals each currency of ISO 4217 has. Metals, funds and test codes have none at all.
EXPONENTS: Final[Mapping[str, int]] = {
    each.code: each.exponent for each in Currency if each.exponent is not None
}


def format_amount(amount: int, currency: str) -> str:
    """``1999`` minor units of EUR as ``19.99 EUR``.

    Where ISO 4217 does not define the currency's decimals: ``1999 minor units of XYZ``.
    """
    exponent = EXPONENTS.get(currency)
    if exponent is None:
        return f"{amount} minor units of {currency}"
    whole, fraction = divmod(abs(amount), 10**exponent)
    decimals = f".{fraction:0{exponent}d}" if exponent else ""
    return f"{'-' if amount < 0 else ''}{whole}{decimals} {currency}"
