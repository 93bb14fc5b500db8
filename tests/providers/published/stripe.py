"""What Stripe publishes of its currencies, written down apart from the adapter and the simulator.

Source: https://docs.stripe.com/currencies (zero-decimal and three-decimal currencies, special
cases, minimum and maximum charge amounts), read from copies of 2023 to 2026.
"""

from decimal import Decimal
from typing import Final

#: "the charge and the amount are the same"; UGX is listed too, but a special case overrules that.
ZERO: Final = "BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF"
#: "require the least-significant (last) digit to be 0"
THREE: Final = "BHD JOD KWD OMR TND"
#: "represent it as a two-decimal value, where the decimal amount is always 00"
WHOLE_BUT_TWO: Final = "ISK UGX"
#: In major units: "Use these minimum amounts by currency".
MINIMUMS: Final = {
    currency: Decimal(amount)
    for amount, codes in {
        "0.50": "USD ARS AUD BRL CAD CHF COP EUR IDR ILS INR NZD PHP RUB SGD ZAR",
        "2.00": "AED MYR PLN RON",
        "15.00": "CZK",
        "2.50": "DKK",
        "0.30": "GBP",
        "4.00": "HKD",
        "175.00": "HUF",
        "50": "JPY KRW",
        "10": "MXN THB",
        "3.00": "NOK SEK",
    }.items()
    for currency in codes.split()
}
#: "12 digits for most card payments, for a maximum of 999,999,999,999 in minor units"
DIGITS: Final = 12


def decimals(currency: str) -> int:
    """How many decimals an amount at Stripe has: two, unless otherwise specified."""
    if currency in ZERO.split():
        return 0
    return 3 if currency in THREE.split() else 2


def step(currency: str) -> Decimal:
    """The smallest amount of this currency at Stripe, in major units."""
    if currency in WHOLE_BUT_TWO.split():
        return Decimal(1)
    return Decimal("0.01") if currency in THREE.split() else Decimal(1).scaleb(-decimals(currency))
