"""Converts ExamplePay's decimal amounts in major units to minor units and back, without floats."""

import re
from collections.abc import Mapping
from typing import Final

from ports.provider import MalformedWebhookError

#: Decimals of the currencies that do not have two (ISO 4217).
DECIMALS: Final[Mapping[str, int]] = {
    **dict.fromkeys(
        (
            *("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX"),
            *("UYI", "VND", "VUV", "XAF", "XOF", "XPF"),
        ),
        0,
    ),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}
_DEFAULT_DECIMALS: Final = 2
#: Up to twelve digits: far above any payment, far below a bigint in minor units.
_DECIMAL: Final = re.compile(r"\A(0|[1-9][0-9]{0,11})(?:\.([0-9]{1,4}))?\Z")


def minor_units(text: str, currency: str) -> int:
    """Returns ``12.34`` EUR as 1234.

    Raises MalformedWebhookError, also for fractions of a minor unit.
    """
    decimals = DECIMALS.get(currency, _DEFAULT_DECIMALS)
    found = _DECIMAL.match(text)
    if found is None:
        raise MalformedWebhookError("an amount is not a decimal number")
    whole, fraction = found[1], found[2] or ""
    if len(fraction) > decimals:
        raise MalformedWebhookError(
            f"an amount has more than the {decimals} decimals of {currency}"
        )
    return int(whole + fraction.ljust(decimals, "0"))


def decimal(amount: int, currency: str) -> str:
    """Returns 1234 minor units of EUR as ``12.34``."""
    decimals = DECIMALS.get(currency, _DEFAULT_DECIMALS)
    if decimals == 0:
        return str(amount)
    whole, fraction = divmod(amount, 10**decimals)
    return f"{whole}.{fraction:0{decimals}d}"
