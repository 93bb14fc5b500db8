"""The supported currencies and the minimum amount of each, in minor units.

Source: https://docs.stripe.com/currencies
"""

AMOUNT_MAX = 99_999_999
"""Stripe accepts eight digits."""

MINIMUM_AMOUNTS: dict[str, int] = {
    "aed": 200, "aud": 50, "bgn": 100, "brl": 50, "cad": 50, "chf": 50, "czk": 1500, "dkk": 250,
    "eur": 50, "gbp": 30, "hkd": 400, "huf": 17500, "inr": 50, "jpy": 50, "mxn": 1000, "myr": 200,
    "nok": 300, "nzd": 50, "pln": 200, "ron": 200, "sek": 300, "sgd": 50, "thb": 1000, "usd": 50,
}  # fmt: skip

WITHOUT_A_MINIMUM: frozenset[str] = frozenset(
    """
    afn all amd ang aoa ars awg azn bam bbd bdt bhd bif bmd bnd bob bsd bwp bzd cdf clp
    cny cop crc cve djf dop dzd egp etb fjd fkp gel gip gmd gnf gtq gyd hnl htg idr ils
    isk jmd jod kes kgs khr kmf krw kwd kyd kzt lak lbp lkr lrd lsl mad mdl mga mkd mmk
    mnt mop mur mvr mwk mzn nad ngn nio npr omr pab pen pgk php pkr pyg qar rsd rub rwf
    sar sbd scr shp sll sos srd std szl tnd tjs top try ttd twd tzs uah ugx uyu uzs vnd
    vuv wst xaf xcd xof xpf yer zar zmw
    """.split()  # noqa: SIM905 - a list of them would be ten times as long
)


def is_supported(currency: str) -> bool:
    """Whether a lower-case three-letter code is a supported currency."""
    return currency in MINIMUM_AMOUNTS or currency in WITHOUT_A_MINIMUM


def minimum_amount(currency: str) -> int:
    """The minimum amount of a charge, in minor units."""
    return MINIMUM_AMOUNTS.get(currency, 1)
