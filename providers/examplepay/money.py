"""Converts ExamplePay's decimal amounts in major units to minor units and back, without floats."""

import re
from typing import Final

from domain.money import EXPONENTS
from ports.provider import MalformedWebhookError, MoneyRefusal

#: Far above any payment, far below a bigint in minor units.
_WHOLE_DIGITS: Final = 12
_DECIMAL: Final = re.compile(rf"\A(0|[1-9][0-9]{{0,{_WHOLE_DIGITS - 1}}})(?:\.([0-9]{{1,4}}))?\Z")


def minor_units(text: str, currency: str) -> int:
    """Returns ``12.34`` EUR as 1234.

    Raises MalformedWebhookError, also for fractions of a minor unit, and for a currency of which
    ISO 4217 has no decimals: to guess them would be to guess the amount.
    """
    decimals = EXPONENTS.get(currency)
    if decimals is None:
        raise MalformedWebhookError("an amount is in no currency of ISO 4217")
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
    """Returns 1234 minor units of EUR as ``12.34``. Raises KeyError for an unknown currency."""
    decimals = EXPONENTS[currency]
    if decimals == 0:
        return str(amount)
    whole, fraction = divmod(amount, 10**decimals)
    return f"{whole}.{fraction:0{decimals}d}"


class ExamplePayMoney:
    """The ``MoneyRules`` of ExamplePay: any currency of ISO 4217, and twelve digits of it."""

    name = "examplepay"

    def refuses(self, amount: int, currency: str) -> MoneyRefusal | None:
        """See ``MoneyRules.refuses``."""
        decimals = EXPONENTS.get(currency)
        if decimals is None:
            return MoneyRefusal("currency", "Use a currency of ISO 4217")
        most = 10 ** (_WHOLE_DIGITS + decimals) - 1
        if amount > most:
            return MoneyRefusal("amount", f"Send at most {most}: ExamplePay's maximum")
        return None
