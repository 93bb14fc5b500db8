"""How Stripe counts money, and what it can charge. Source: docs.stripe.com/currencies.

Our amounts are minor units by ISO 4217. So are Stripe's, but for the currencies in ``_DECIMALS``.
HUF and TWD have no decimals in payouts only, which this service does not make.
Minimums and the maximum are those of card payments; Stripe has more rules that depend on what only
it knows (the account's country and settlement currency, the card's brand), and may still refuse.
"""

from collections.abc import Mapping
from typing import Final

from domain.money import EXPONENTS, format_amount
from ports.provider import MalformedWebhookError, MoneyRefusal

NAME: Final = "stripe"

#: The decimals of Stripe's amounts where ISO 4217 has others. Stripe kept two for ISK and UGX,
#: which must be ``00``, and has none for MGA, of which ISO 4217 counts two.
_DECIMALS: Final[Mapping[str, int]] = {"ISK": 2, "UGX": 2, "MGA": 0}
#: Stripe's amounts in these currencies are a multiple of this. Of three decimals the last is 0.
_STEPS: Final[Mapping[str, int]] = {
    **dict.fromkeys(("ISK", "UGX"), 100),
    **dict.fromkeys(("BHD", "JOD", "KWD", "OMR", "TND"), 10),
}
#: The least that can be charged in a currency that is also the account's own, in Stripe's units.
_MINIMUMS: Final[Mapping[str, int]] = {
    **dict.fromkeys(("ARS", "AUD", "BRL", "CAD", "CHF", "COP", "EUR", "IDR", "ILS", "INR"), 50),
    **dict.fromkeys(("JPY", "KRW", "NZD", "PHP", "RUB", "SGD", "USD", "ZAR"), 50),
    **dict.fromkeys(("AED", "MYR", "PLN", "RON"), 200),
    **dict.fromkeys(("NOK", "SEK"), 300),
    **dict.fromkeys(("MXN", "THB"), 1_000),
    "CZK": 1_500,
    "DKK": 250,
    "GBP": 30,
    "HKD": 400,
    "HUF": 17_500,
}
#: Twelve digits.
_MAXIMUM: Final = 999_999_999_999
#: What a card can be charged in. Of the codes that Stripe still lists ISO 4217 has dropped four:
#: ANG, BGN, SLL and STD.
SUPPORTED: Final = frozenset(
    """
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BRL BSD BWP BYN BZD CAD CDF
    CHF CLP CNY COP CRC CVE CZK DJF DKK DOP DZD EGP ETB EUR FJD FKP GBP GEL GIP GMD GNF GTQ GYD HKD
    HNL HTG HUF IDR ILS INR ISK JMD JOD JPY KES KGS KHR KMF KRW KWD KYD KZT LAK LBP LKR LRD LSL MAD
    MDL MGA MKD MMK MNT MOP MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR
    PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SEK SGD SHP SLE SOS SRD SZL THB TJS TND TOP TRY TTD TWD
    TZS UAH UGX USD UYU UZS VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW
    """.split()  # noqa: SIM905  # a list of them would be ten times as long
)


def _scale(currency: str) -> tuple[int, int]:
    """Returns how many of Stripe's units so many of ISO 4217's are; one of both numbers is 1."""
    exponent = EXPONENTS.get(currency)
    if exponent is None:  # unknown to ISO 4217, so nothing says that Stripe's are others
        return 1, 1
    more = _DECIMALS.get(currency, exponent) - exponent
    return (10**more, 1) if more >= 0 else (1, 10**-more)


def to_stripe(amount: int, currency: str) -> int:
    """Returns minor units by ISO 4217 as Stripe's. Raises ValueError where it has no such amount.

    ``part_refusal`` says beforehand whether it has.
    """
    theirs, ours = _scale(currency)
    units, rest = divmod(amount * theirs, ours)
    if rest:
        raise ValueError(f"Stripe has no fractions of {currency}")
    return units


def from_stripe(amount: int, currency: str) -> int:
    """Returns Stripe's units as minor units by ISO 4217, of a currency in upper case.

    Raises MalformedWebhookError for a fraction that ISO 4217 does not have.
    """
    theirs, ours = _scale(currency)
    units, rest = divmod(amount * ours, theirs)
    if rest:
        raise MalformedWebhookError(f"an amount has a fraction that {currency} does not have")
    return units


def part_refusal(amount: int, currency: str) -> MoneyRefusal | None:
    """Returns the rule that a capture or refund of this amount breaks, if it breaks one."""
    theirs, ours = _scale(currency)
    step = max(1, ours * _STEPS.get(currency, 1) // theirs)
    if amount % step:
        least = format_amount(step, currency)
        return MoneyRefusal("amount", f"Send a multiple of {step}: Stripe has steps of {least}")
    return None


def charge_refusal(amount: int, currency: str) -> MoneyRefusal | None:
    """Returns the rule that a payment of this amount breaks, if it breaks one."""
    if currency not in EXPONENTS:
        return MoneyRefusal("currency", "Use a currency of ISO 4217")
    if currency not in SUPPORTED:
        return MoneyRefusal("currency", "Use a currency of docs.stripe.com/currencies")
    theirs, ours = _scale(currency)
    least = -(-_MINIMUMS.get(currency, 1) * ours // theirs)
    if amount < least:
        shown = format_amount(least, currency)
        return MoneyRefusal("amount", f"Send at least {least}: Stripe's minimum is {shown}")
    most = _MAXIMUM * ours // theirs
    if amount > most:
        shown = format_amount(most, currency)
        return MoneyRefusal("amount", f"Send at most {most}: Stripe's maximum is {shown}")
    return part_refusal(amount, currency)


class StripeMoney:
    """The ``MoneyRules`` of Stripe."""

    name = NAME

    def refuses(self, amount: int, currency: str) -> MoneyRefusal | None:
        """See ``MoneyRules.refuses``."""
        return charge_refusal(amount, currency)
