"""Formats amounts for people, with the decimals of their currency. Elsewhere: minor units."""

from collections.abc import Mapping
from typing import Final

#: How many decimals each currency of ISO 4217 has. Metals, funds and test codes have none at all.
_BY_EXPONENT: Final[Mapping[int, str]] = {
    0: ("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF "),
    2: (
        "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP "
        "BYN BZD CAD CDF CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB "
        "EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES "
        "KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR "
        "MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD "
        "RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP "
        "TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG "
    ),
    3: ("BHD IQD JOD KWD LYD OMR TND "),
    4: ("CLF UYW "),
}
EXPONENTS: Final[Mapping[str, int]] = {
    currency: exponent for exponent, codes in _BY_EXPONENT.items() for currency in codes.split()
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
